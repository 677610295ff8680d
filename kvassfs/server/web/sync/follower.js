/** Keeps a replica in step with its hub: one loop pulls and waits for news, the other one pushes: kvassfs/sync/follower.py. */

import { HubFailed, HubUnreachable } from "./errors.js";

/** @import { Replica } from "../replica/replica.js" */
/** @import { Synchroniser } from "./synchroniser.js" */

/** Seconds for which the hub may hold a pull back: at first, and at last. */
const SHORTEST_WAIT = 2;
const LONGEST_WAIT = 25;

/** Seconds between two tries to reach the hub; they grow while it is out of reach. */
const FIRST_PAUSE = 0.3;
const LONGEST_PAUSE = 8;

/** ms between a change and its push, so that what is done in one go is pushed together. */
const GATHERING = 30;

/** How it stands with the hub. `error` is that of the last try, `null` if it went well. @typedef {{ isBusy: boolean, error: Error | null }} Standing */

export class Follower {
  #replica;
  #make;
  #tell;
  /** @type {Synchroniser | null} */
  #synchroniser = null;
  #isStopped = false;
  /** @type {Set<() => void>} */
  #sleepers = new Set();
  #hasPulled = false;
  /** @type {Map<string, Error>} */
  #errors = new Map();
  #busy = 0;

  /**
   * @param {Replica} replica
   * @param {() => Synchroniser} make returns what exchanges with the hub, anew after an error
   * @param {(standing: Standing) => void} tell
   */
  constructor(replica, make, tell) {
    this.#replica = replica;
    this.#make = make;
    this.#tell = tell;
  }

  start() {
    this.#replica.onChange(() => this.#replica.dirty.size > 0 && this.wake());
    this.#run("pull", () => this.#pull());
    this.#run("push", () => this.#push());
  }

  stop() {
    this.#isStopped = true;
    this.wake();
  }

  /** Try at once what is waited for, as when the network is back. */
  wake() {
    for (const awake of this.#sleepers) awake();
  }

  /** What exchanges with the hub at the moment. */
  get synchroniser() {
    this.#synchroniser ??= this.#make();
    return this.#synchroniser;
  }

  /**
   * @param {string} name
   * @param {() => Promise<void>} step
   */
  async #run(name, step) {
    let pause = FIRST_PAUSE;
    while (!this.#isStopped) {
      try {
        await step();
        pause = FIRST_PAUSE;
        this.#note(name, null);
      } catch (error) {
        this.#note(name, error instanceof Error ? error : new Error(String(error)));
        if (!(error instanceof HubUnreachable)) this.#synchroniser = null;
        const asked = error instanceof HubFailed ? error.pause : 0;
        await this.#sleep((asked + pause * (0.5 + Math.random() / 2)) * 1000);
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
    }
  }

  #wait = 0;

  async #pull() {
    const isFirst = !this.#hasPulled || this.#errors.has("pull");
    const wait = isFirst ? 0 : this.#wait;
    const changed = isFirst ? await this.#busily(() => this.synchroniser.pull()) : await this.synchroniser.pull(wait);
    this.#hasPulled = true;
    this.#wait = changed > 0 || wait === 0 ? SHORTEST_WAIT : Math.min(wait * 1.5, LONGEST_WAIT);
  }

  async #push() {
    if (this.#replica.dirty.size === 0) {
      await this.#sleep(LONGEST_WAIT * 1000);
      return;
    }
    if (!this.#hasPulled) await this.#sleep(FIRST_PAUSE * 1000); // who the hub is, is asked once
    const count = await this.#busily(async () => {
      await new Promise((resolve) => setTimeout(resolve, GATHERING));
      return this.synchroniser.push();
    });
    if (count === 0 && this.#replica.dirty.size > 0) await this.#sleep(LONGEST_PAUSE * 1000); // its value is not here
  }

  /**
   * @template Result
   * @param {() => Promise<Result>} act
   */
  async #busily(act) {
    this.#busy += 1;
    this.#tellStanding();
    try {
      return await act();
    } finally {
      this.#busy -= 1;
      this.#tellStanding();
    }
  }

  /**
   * @param {string} name
   * @param {Error | null} error
   */
  #note(name, error) {
    if (error === null) this.#errors.delete(name);
    else this.#errors.set(name, error);
    this.#tellStanding();
  }

  #tellStanding() {
    const [error = null] = this.#errors.values();
    this.#tell({ isBusy: this.#busy > 0, error });
  }

  /** @param {number} milliseconds */
  async #sleep(milliseconds) {
    if (this.#isStopped) return;
    await new Promise((resolve) => {
      const awake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(awake);
        resolve(undefined);
      };
      const timer = setTimeout(awake, milliseconds);
      this.#sleepers.add(awake);
    });
  }
}
