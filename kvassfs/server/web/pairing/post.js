/** The way of a joiner to the mailboxes of the hub, and what went wrong with it. */

import { readBody, sendBody } from "../remote/post.js";
import { CannotPair, CodeGone, HubOutOfReach, TooManyTries } from "./errors.js";
import { MOST_JOIN } from "./messages.js";

/** @import { Post } from "./joiner.js" */

/** Seconds of a request; the hub holds its response back for ten. */
const JOIN_TIMEOUT = 25;

/**
 * Return what sends bodies to the hub whose calls lie below `base`, a URL that ends with a slash.
 * @param {string | URL} base
 * @returns {Post}
 */
export function reachMailboxes(base) {
  return async (call, body) => {
    const response = await sendBody(new URL(call, base).href, body, JOIN_TIMEOUT).catch(reportOutOfReach);
    if (!response.ok) throw describeRefusal(response.status);
    const data = await readBody(response).catch(reportOutOfReach);
    if (data.length > MOST_JOIN) throw new CannotPair("its answer is too long");
    return data;
  };
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
