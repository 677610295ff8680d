/** The way of a joiner to the mailboxes of the hub, and what went wrong with it. */

import { CannotPair, CodeGone, HubOutOfReach, TooManyTries } from "./errors.js";
import { MOST_JOIN } from "./messages.js";

/** @import { Post } from "./joiner.js" */

/** Milliseconds of a request; the hub holds its response back for ten seconds. */
const JOIN_TIMEOUT = 25_000;

/**
 * Return what sends bodies to the hub whose calls lie below `base`, a URL that ends with a slash.
 * @param {string | URL} base
 * @returns {Post}
 */
export function reachMailboxes(base) {
  return async (call, body) => {
    const response = await sendBody(new URL(call, base), body);
    if (!response.ok) throw describeRefusal(response.status);
    const data = new Uint8Array(await response.arrayBuffer().catch(reportOutOfReach));
    if (data.length > MOST_JOIN) throw new CannotPair("its answer is too long");
    return data;
  };
}

/**
 * @param {URL} url
 * @param {BodyInit} body
 */
async function sendBody(url, body) {
  const signal = AbortSignal.timeout(JOIN_TIMEOUT);
  const options = { method: "POST", body, signal, cache: "no-store", credentials: "same-origin", redirect: "error" };
  return fetch(url, /** @type {RequestInit} */ (options)).catch(reportOutOfReach);
}

/** @param {number} status */
function describeRefusal(status) {
  if (status === 410) return new CodeGone();
  if (status === 429) return new TooManyTries();
  if (status === 404) return new CannotPair("it knows no codes, as the original kvass and earlier versions do not");
  return new CannotPair(`it answers with status ${status}; try again in a minute`);
}

/** @returns {never} */
function reportOutOfReach() {
  throw new HubOutOfReach();
}
