/** What went wrong, in a sentence for the person before the page. */

import { CannotBeOpened, NewerForm, Spoiled } from "../veil/errors.js";

/** Something that was expected to fail at times; the message is a sentence to be shown. */
export class Failure extends Error {}

/** The server was not reached, or the connection broke off. */
export class Unreachable extends Failure {
  constructor() {
    super("The server could not be reached, or the connection broke off. Check the network, and try again.");
  }
}

/**
 * Return the sentence about an error.
 * @param {unknown} error
 * @returns {string}
 */
export function describeFailure(error) {
  if (error instanceof Failure) return error.message;
  if (error instanceof CannotBeOpened) {
    return "The key in this address does not open what it leads to. Check that the address was copied whole.";
  }
  if (error instanceof NewerForm) {
    return "This was shared by a newer version of kvassfs than this server has, so this page cannot open it.";
  }
  if (error instanceof Spoiled) {
    return `What the server keeps of this is damaged, so nothing of it is shown (${error.message}). Ask for it to be shared again.`;
  }
  if (error instanceof DOMException && error.name === "QuotaExceededError") {
    return "This browser has no room left to keep this. Free some, or use another one.";
  }
  return `This did not work, for a reason that this page does not know (${error}).`;
}
