/** What goes wrong when the page joins, in sentences for the person before it: those of kvassfs/pairing/errors.py. */

import { KvassError } from "../words/errors.js";

/** The page has not joined; the message says why, and what to do. */
export class PairingFailed extends KvassError {}

/** What was typed is no code; nothing was tried with it. */
export class InvalidCode extends PairingFailed {
  /** @param {string} reason */
  constructor(reason) {
    super(`A code is a number and two words, as in 7-purple-lamp: ${reason}.`);
  }
}

/** What was scanned is no fragment that this page knows; nothing was tried with it. */
export class InvalidFragment extends PairingFailed {
  constructor() {
    super("This address pairs nothing. Run kvass pair --phone on the other device, and scan what it draws.");
  }
}

/** The two sides have different codes, or somebody in between has changed a message. */
export class WrongCode extends PairingFailed {
  constructor() {
    super("Wrong code: nothing was received, and the code has ended. Run kvass pair on the other device again, and take its new code.");
  }
}

/** No mailbox has this number: there never was one, it was used, or its time is over. */
export class CodeGone extends PairingFailed {
  constructor() {
    super("Nobody waits with this code, which holds for ten minutes and one try. Run kvass pair on the other device again.");
  }
}

/** The other device does not answer any more. */
export class OtherSideGone extends PairingFailed {
  constructor() {
    super("The other device has left, and nothing was received. Run kvass pair there again.");
  }
}

/** The other device has the code, and sent what is no message of this protocol. */
export class OtherProtocol extends PairingFailed {
  /** @param {string} reason */
  constructor(reason) {
    super(`The other device speaks another protocol: ${reason}. Have the same version of kvass there and at the hub.`);
  }
}

/** Too many numbers were tried that no mailbox has. */
export class TooManyTries extends PairingFailed {
  constructor() {
    super("Too many numbers were tried that nobody waits with. Wait a minute, and check the code.");
  }
}

/** The hub was not reached. */
export class HubOutOfReach extends PairingFailed {
  constructor() {
    super("The hub could not be reached, or the connection broke off. Check the network, and try again with a new code.");
  }
}

/** What answers is no hub that pairs. */
export class CannotPair extends PairingFailed {
  /** @param {string} reason */
  constructor(reason) {
    super(`The hub cannot pair: ${reason}.`);
  }
}
