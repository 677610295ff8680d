/** The errors of entries at the hub of a sealed store: those of kvassfs/veil/errors.py that devices alone meet. */

import { Spoiled, VeilError } from "./errors.js";

/** An entry stands in the clear, where nothing but sealed ones are taken. */
export class NotSealed extends VeilError {
  /** @param {string} reason */
  constructor(reason) {
    super(`it is not sealed: ${reason}`);
  }
}

/** The proof of a head, or of a link, is not that of a device of this store. */
export class Forged extends VeilError {
  constructor() {
    super("no device of this store has made it");
  }
}

/** The hub has not got a block of a value. If it has a later version by now, asking again brings that. */
export class PartMissing extends Spoiled {
  constructor() {
    super("a block of it is not there");
  }
}
