/** Exchanges with the hub: pull, then push: kvassfs/sync/synchroniser.py. */

import { HubClient } from "./hub_client.js";
import { makePlainPassage } from "./passage.js";
import { pull } from "./puller.js";
import { Pusher } from "./pusher.js";
import { makeSealedPassage } from "./sealed_passage.js";

/** @import { Replica } from "../replica/replica.js" */
/** @import { Content } from "../replica/rows.js" */
/** @import { Random } from "../words/bytes.js" */
/** @import { VeilKeys } from "../veil/keys.js" */
/** @import { Entry } from "../words/entry.js" */
/** @import { Post } from "./hub_client.js" */

/**
 * What is told of an exchange: the sequences of the hub that were pulled of those that there are, and the blocks of large values that were
 * sent of those that the hub lacked.
 * @typedef {{ pulled: (done: number, total: number) => void, sent: (done: number, total: number) => void }} Reports
 */

/**
 * The keys of a store: that of messages, and of a sealed store those of what its hub keeps.
 * @typedef {{ messages: CryptoKey, veil: VeilKeys | null }} StoreKeys
 */

/** @type {Reports} */
const NO_REPORTS = { pulled: () => undefined, sent: () => undefined };

/** Exchanges entries between a replica and its hub. Pulls and pushes may go on at the same time, but no two pushes. */
export class Synchroniser {
  #replica;
  #client;
  #passage;
  #reports;

  /**
   * @param {Replica} replica
   * @param {Post} post
   * @param {StoreKeys} keys
   * @param {Random} random
   * @param {Reports} [reports]
   */
  constructor(replica, post, { messages, veil }, random, reports = NO_REPORTS) {
    this.#replica = replica;
    this.#client = new HubClient(replica, post, messages, random);
    this.#passage = veil === null ? makePlainPassage(replica, this.#client) : makeSealedPassage(replica, this.#client, veil);
    this.#reports = reports;
  }

  /**
   * Merge what the hub has; return how many keys changed. It may `wait` seconds until it has something.
   * @param {number} [wait]
   */
  pull(wait = 0) {
    return pull(this.#replica, this.#client, this.#passage, wait, this.#reports.pulled);
  }

  /** Push what the hub has not acknowledged; return how many entries it has now. */
  async push() {
    const { facts, hubTime } = this.#replica;
    if (this.#replica.dirty.size === 0) return 0;
    if (facts.hub.processId === 0 || !hubTime.wasAsked) await this.pull(); // who is it, and what time has it
    return new Pusher(this.#replica, this.#client, this.#passage, this.#reports.sent).push();
  }

  /**
   * Get the missing blocks of a value from the hub.
   * @param {Entry} entry
   * @param {Content} content
   * @param {(part: number) => void} [report]
   */
  fetch(entry, content, report = () => undefined) {
    return this.#passage.fetch(entry, content, report);
  }
}
