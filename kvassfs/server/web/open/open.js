/** The page of an address of a sealed store: fetches what it leads to, opens it here, and shows it. */

import { formatSize } from "../showing/sizes.js";
import { openAddress, parseFragment } from "../veil/addresses.js";
import { readValue } from "../veil/values.js";
import { BLOCK_SIZE } from "../words/block.js";
import { describeFailure, Failure, Unreachable } from "./failures.js";
import { askHub, Body, useUp } from "./hub.js";
import { Keeping } from "./keeping.js";
import { ask, say, showFailure, showName, showProgress, showValue } from "./page.js";

/** @import { SealedAddress } from "../veil/addresses.js" */
/** @import { Head } from "../veil/head.js" */
/** @import { Read } from "../veil/values.js" */
/** @import { Source } from "./hub.js" */

/** Bytes of a value that is not fetched before a question: holes make a short sealed value one that fills a disk. */
const ASKED = 256 * 1024 * 1024;

let usedUp = false;

run().catch((error) => {
  showFailure(describeFailure(error) + (usedUp ? " The link worked once, and is used up: ask for a new one." : ""));
});

async function run() {
  addEventListener("hashchange", () => location.reload()); // another address in the same window
  const address = parseFragment(location.hash.slice(1));
  if (address === null) {
    throw new Failure("This address is not whole: what stands behind its # is missing or damaged. Ask for it again.");
  }
  if (!window.isSecureContext || crypto.subtle === undefined) {
    throw new Failure(
      "Browsers decrypt only on pages that come over https://, and this one came over http://. Use the server's https:// address, or `kvass fetch`.",
    );
  }
  say("Asking the server …");
  const keeping = new Keeping();
  await keeping.open();
  const source = await findSource(address, keeping);
  const head = await openAddress(address, source.read, source.size);
  showName(head.version);
  if (head.version.size > ASKED) await ask(`This takes ${formatSize(head.version.size)} of the disk of this device.`);
  await showValue(head.version, await openValue(head, source.read, keeping));
  await keeping.remove("sealed");
}

/**
 * Return what an address leads to. Of a link that works once all is fetched, after a question.
 * @param {SealedAddress} address
 * @param {Keeping} keeping
 * @returns {Promise<Source>}
 */
async function findSource({ token }, keeping) {
  const offered = await askHub(token);
  if ("source" in offered) return offered.source;
  if ("whole" in offered) return keepWhole(offered.whole, keeping);
  const limit = Number.isFinite(keeping.most) ? ` This browser can take ${formatSize(keeping.most)} at most here.` : "";
  await ask(`This link works once: when the button has been pressed, it is used up, here and everywhere else.${limit}`);
  say("Asking the server …");
  const response = await useUp(token);
  usedUp = true;
  return keepWhole(response, keeping);
}

/**
 * Keep an answer, whose head comes last, until all of it is here.
 * @param {Response} response
 * @param {Keeping} keeping
 * @returns {Promise<Source>}
 */
async function keepWhole(response, keeping) {
  const size = Number(response.headers.get("Content-Length") ?? Infinity);
  const sink = await keeping.create("sealed", size);
  const body = new Body(response);
  let received = 0;
  for (let piece = await body.take(BLOCK_SIZE); piece.length > 0; piece = await body.take(BLOCK_SIZE)) {
    await sink.write(piece);
    received += piece.length;
    showProgress("Fetching", received / size);
  }
  if (Number.isFinite(size) && received !== size) throw new Unreachable();
  const kept = await sink.finish();
  const read = /** @type {Read} */ (
    async (start, length) => new Uint8Array(await kept.slice(start, start + length).arrayBuffer())
  );
  return { size: kept.size, read };
}

/**
 * Return the value that a head describes.
 * @param {Head} head
 * @param {Read} read
 * @param {Keeping} keeping
 */
async function openValue(head, read, keeping) {
  const { size } = head.version;
  const sink = await keeping.create("value", size);
  let done = 0;
  for await (const piece of readValue(head, read)) {
    await sink.write(piece);
    done += piece.length;
    showProgress(usedUp ? "Decrypting" : "Fetching and decrypting", size === 0 ? 1 : done / size);
  }
  return sink.finish();
}
