/** The errors of what a hub keeps of a sealed store: those of kvassfs/veil/errors.py that who has an address meets. */

import { KvassError } from "../words/errors.js";

/** What an address leads to is not used. */
export class VeilError extends KvassError {}

/** A head is of a version that a later program makes. */
export class NewerForm extends VeilError {
  /** @param {number} version */
  constructor(version) {
    super(`it was sealed by a newer kvassfs (form ${version})`);
  }
}

/** The key that an address has is none to what the address leads to. */
export class CannotBeOpened extends VeilError {
  constructor() {
    super("the address does not open what it leads to");
  }
}

/** Parts of a sealed value are missing, damaged or exchanged; the message says which. */
export class Spoiled extends VeilError {}
