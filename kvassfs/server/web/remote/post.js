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
    const response = await sendBody(`${hub}${call}`, body, PATIENCE + wait, signal);
    if (response.ok) return readBody(response);
    throw await describeStatus(response);
  };
}

/**
 * Send a body to an address of a hub; the response has so many seconds to come. Rejects with HubUnreachable alone.
 * @param {string} address
 * @param {Bytes} body
 * @param {number} seconds
 * @param {AbortSignal} [signal]
 */
export function sendBody(address, body, seconds, signal) {
  const limit = AbortSignal.timeout(seconds * 1000);
  return awaitNetwork(
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
 * Return the body of a response. Rejects with HubUnreachable alone.
 * @param {Response} response
 * @returns {Promise<Bytes>}
 */
export async function readBody(response) {
  return new Uint8Array(await awaitNetwork(response.arrayBuffer()));
}

/**
 * Return what a promise of the network does; however it breaks off, the hub is out of reach.
 * @template Result
 * @param {Promise<Result>} promise
 */
async function awaitNetwork(promise) {
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
