/** Pairing on the side of the page, which joins: from a fragment or a code to what the other device hands over. */

import { drawRandom, joinBytes } from "../words/bytes.js";
import { startAgreement } from "./agreement.js";
import { parseCode } from "./code.js";
import { OtherSideGone } from "./errors.js";
import { FragmentSide, isFragment, parsePairing } from "./fragment.js";
import { decodeHandover, decodeJoinResponse, encodeIntroduction, encodeJoinRequest } from "./messages.js";

/** @import { Bytes, Random } from "../words/bytes.js" */
/** @import { Handover } from "./messages.js" */

/**
 * Sends a body to a call of the hub, and returns that of the response; throws a PairingFailed.
 * @typedef {(call: "join", body: Bytes) => Promise<Bytes>} Post
 */

/** Milliseconds in which the other device has to answer. */
const ANSWER_PATIENCE = 15_000;

/**
 * Return what the device hands over that shows `shown`, a fragment or a code, to this one, which is called `name`.
 *
 * Throws a PairingFailed; an InvalidCode or InvalidFragment before anything was tried.
 * @param {Post} post
 * @param {string} shown
 * @param {string} name
 * @param {Random} random
 * @returns {Promise<Handover>}
 */
export async function receiveHandover(post, shown, name, random = drawRandom) {
  const side = await takeSide(shown, random);
  const { share } = await askMailbox(post, side.number, null);
  const secret = await side.agree(share);
  const sent = await secret.send(encodeIntroduction(name), random);
  const message = joinBytes([side.share, sent]);
  return decodeHandover(await secret.receive(await waitForAnswer(post, side.number, message)));
}

/**
 * @param {string} shown
 * @param {Random} random
 */
async function takeSide(shown, random) {
  if (isFragment(shown)) return new FragmentSide(parsePairing(shown), random);
  return startAgreement(parseCode(shown), random);
}

/**
 * @param {Post} post
 * @param {number} number
 * @param {Bytes} message
 */
async function waitForAnswer(post, number, message) {
  const begin = performance.now();
  while (performance.now() - begin < ANSWER_PATIENCE) {
    const { answer } = await askMailbox(post, number, message);
    if (answer !== null) return answer;
  }
  throw new OtherSideGone();
}

/**
 * @param {Post} post
 * @param {number} number
 * @param {Bytes | null} message
 */
async function askMailbox(post, number, message) {
  return decodeJoinResponse(await post("join", encodeJoinRequest(number, message)));
}
