/** What goes wrong with the hub, in sentences for people: kvassfs/errors.py, kvassfs/sync/errors.py. */

import { KvassError } from "../words/errors.js";

/** An exchange with the hub failed. Nothing here is lost: what the hub has not got waits. */
export class SyncError extends KvassError {}

/** The hub does not answer, or the network is gone. */
export class HubUnreachable extends SyncError {
  constructor() {
    super("The hub cannot be reached. Check that it runs and that this device is online.");
  }
}

/** The hub has another encryption key. */
export class WrongKey extends SyncError {
  constructor() {
    super(
      "The hub has another encryption key by now. Pair this device anew with `kvass pair` on one that the hub accepts: nothing here is lost.",
    );
  }
}

/** What answers is no hub, or not the one that was asked. */
export class NotAHub extends SyncError {
  /** @param {string} reason */
  constructor(reason) {
    super(`No kvass hub answers: ${reason}. Check whether a login page of the network is in between.`);
  }
}

/** The hub speaks an older protocol. */
export class HubDowngraded extends SyncError {
  constructor() {
    super("The hub is of the original kvass: this page needs `kvass serve` of kvassfs.");
  }
}

/** The hub answers that it cannot do what was asked; `status` is that of HTTP, `pause` how long it wants to be left alone (s). */
export class HubFailed extends SyncError {
  /**
   * @param {number} status
   * @param {string} reason
   * @param {number} [pause]
   */
  constructor(status, reason, pause = 0) {
    super(status === 507 ? `The hub takes no more: ${reason}.` : `The hub failed (status ${status}): ${reason}.`);
    this.status = status;
    this.pause = pause;
  }
}

/** What the hub has is not taken, as no replica could replace it. */
export class PullRefused extends SyncError {
  /** @param {string} reason */
  constructor(reason) {
    super(`What the hub has is not taken: ${reason}. Type \`kvass doctor --repair\` on the machine where it runs.`);
  }
}

/** The hub takes nothing of a push, as something in it cannot be used. */
export class PushRefused extends SyncError {
  /** @param {string} reason */
  constructor(reason) {
    super(`The hub refuses what is pushed: ${reason}. A newer kvassfs on the hub may help.`);
  }
}

/** The hub has entries of a sealed store, and this device has not its key. */
export class HubIsSealed extends SyncError {
  constructor() {
    super("What the hub has is sealed, and this device has not its key: pair it anew with a device that has.");
  }
}

/** A value cannot be had: the hub has lost its blocks, or nobody has sent them yet. */
export class ValueMissing extends SyncError {
  constructor() {
    super("The hub has not got this value (yet): it comes when the device that made it is online.");
  }
}
