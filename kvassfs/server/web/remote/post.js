/** Calls of a hub over HTTP: kvassfs/remote/http.py. */

import { HubFailed, HubUnreachable, NotAHub, WrongKey } from "../sync/errors.js";

/** @import { Bytes } from "../words/bytes.js" */

/** Seconds that a response may take, beside those that the hub is asked to wait. */
const PATIENCE = 60;

/** Characters of what a hub says that are shown. */
const LONGEST_WORDS = 200;

/**
 * Return what posts sealed bodies to the hub at an address, which ends in `/`. `signal` ends what is under way.
 * @param {string} hub
 * @param {AbortSignal} [signal]
 */
export function makePost(hub, signal) {
  return async (/** @type {string} */ call, /** @type {Bytes} */ body, wait = 0) => {
    const response = await send(`${hub}${call}`, body, wait, signal);
    if (response.ok) return new Uint8Array(await read(response.arrayBuffer()));
    throw await describeStatus(response);
  };
}

/**
 * @param {string} address
 * @param {Bytes} body
 * @param {number} wait
 * @param {AbortSignal | undefined} signal
 */
function send(address, body, wait, signal) {
  const limit = AbortSignal.timeout((PATIENCE + wait) * 1000);
  return read(
    fetch(address, {
      method: "POST",
      body,
      headers: { "Content-Type": "application/octet-stream" },
      cache: "no-store",
      redirect: "error",
      referrerPolicy: "no-referrer",
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    }),
  );
}

/**
 * Return what a promise of the network does; however it breaks off, the hub is out of reach.
 * @template Result
 * @param {Promise<Result>} promise
 */
async function read(promise) {
  try {
    return await promise;
  } catch {
    throw new HubUnreachable();
  }
}

/** @param {Response} response */
async function describeStatus(response) {
  const { status } = response;
  const words = (await response.text().catch(() => "")).replace(/^kvass: /, "").trim().slice(0, LONGEST_WORDS);
  if (status === 403 && words.startsWith("cannot decrypt")) return new WrongKey();
  if (status === 404 || status === 405) return new NotAHub(`it answers with status ${status}`);
  const pause = Number(response.headers.get("Retry-After") ?? 0);
  return new HubFailed(status, words || response.statusText, Number.isFinite(pause) ? pause : 0);
}
