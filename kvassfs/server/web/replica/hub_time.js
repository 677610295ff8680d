/** The wall clock of the hub, by which versions are dated: kvassfs/store/hub_time.py. */

import { CLOCK_TOLERANCE } from "../words/entry.js";

/**
 * The clocks of this device, in µs: `now` since the epoch, `uptime` of one that nobody sets.
 * @typedef {{ now: () => number, uptime: () => number }} Machine
 */

/** Microseconds that an exchange may take to tell the hub's clock. */
const LONGEST_MEASUREMENT = 2_000_000;

/** A moment by both clocks. @typedef {{ now: number, uptime: number }} Moment */

/**
 * Return a moment by the clocks of a machine.
 * @param {Machine} machine
 * @returns {Moment}
 */
export function readMoment(machine) {
  return { now: machine.now(), uptime: machine.uptime() };
}

/**
 * Return whether our clock was set, or the device was asleep, since a moment: its clocks have not gone on alike.
 * @param {Moment} then
 * @param {Moment} now
 */
function wasDisturbed(then, now) {
  return Math.abs(now.now - then.now - (now.uptime - then.uptime)) > CLOCK_TOLERANCE;
}

/** Keeps how the hub's clock was measured, as long as our clock was neither set nor asleep. */
export class HubTime {
  /** When the hub was asked last, and the hub's clock minus ours (µs) if that was measured. @type {(Moment & { difference: number | null }) | null} */
  #asked = null;
  #machine;

  /** @param {Machine} machine */
  constructor(machine) {
    this.#machine = machine;
  }

  /**
   * Note what the hub's clock said in an exchange that began at a moment and ends now.
   * @param {number} time µs since the epoch, 0 if it says nothing
   * @param {Moment} sent
   */
  note(time, sent) {
    const received = readMoment(this.#machine);
    const took = received.uptime - sent.uptime;
    const isMeasured = time > 0 && took <= LONGEST_MEASUREMENT && !wasDisturbed(sent, received);
    this.#asked = { ...received, difference: isMeasured ? Math.round(time + took / 2 - received.now) : null };
  }

  forget() {
    this.#asked = null;
  }

  /** Whether the hub was asked for its clock, and that says something still. */
  get wasAsked() {
    return this.#asked !== null && !wasDisturbed(this.#asked, readMoment(this.#machine));
  }

  /** Return the hub's clock minus ours (µs), 0 where they agree; `null` if that is not known. */
  difference() {
    const difference = this.wasAsked ? this.#asked?.difference ?? null : null;
    return difference !== null && Math.abs(difference) <= CLOCK_TOLERANCE ? 0 : difference;
  }
}
