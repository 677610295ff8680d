/** The wall clock of the hub, by which versions are dated: kvassfs/store/hub_time.py. */

import { CLOCK_TOLERANCE } from "../words/entry.js";

/**
 * The clocks of this device, in µs: `now` since the epoch, `uptime` of one that nobody sets.
 * @typedef {{ now: () => number, uptime: () => number }} Machine
 */

/** Microseconds that an exchange may take to tell the hub's clock. */
const LONGEST_MEASUREMENT = 2_000_000;

/** Keeps how the hub's clock was measured, as long as our clock was neither set nor asleep. */
export class HubTime {
  /** @type {{ difference: number, now: number, uptime: number } | null} */
  #measured = null;
  #machine;
  /** Whether the hub was asked for its clock. */
  wasAsked = false;

  /** @param {Machine} machine */
  constructor(machine) {
    this.#machine = machine;
  }

  /**
   * Note what the hub's clock said in an exchange that began and ended at times of `uptime`.
   * @param {number} time
   * @param {number} sent
   * @param {number} received
   */
  note(time, sent, received) {
    this.wasAsked = true;
    if (received - sent > LONGEST_MEASUREMENT || time === 0) return;
    const now = this.#machine.now();
    const uptime = this.#machine.uptime();
    this.#measured = { difference: time + (uptime - Math.floor((sent + received) / 2)) - now, now, uptime };
  }

  forget() {
    this.#measured = null;
    this.wasAsked = false;
  }

  /** Return the hub's clock minus ours (µs), 0 where they agree; `null` if that is not known. */
  difference() {
    if (this.#measured === null) return null;
    const { difference, now, uptime } = this.#measured;
    const passed = this.#machine.uptime() - uptime;
    const set = this.#machine.now() - now - passed;
    if (Math.abs(set) > CLOCK_TOLERANCE) return null;
    return Math.abs(difference) > CLOCK_TOLERANCE ? Math.round(difference) : 0;
  }
}
