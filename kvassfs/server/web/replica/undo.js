/** Taking back what was changed on this page, the last change first: kvassfs/store/undo.py. */

import { isDeleted, isFile } from "../words/entry.js";
import { removeVersion, writeVersion } from "./versions.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Replica } from "./replica.js" */
/** @import { Row } from "./rows.js" */
/** @import { Transaction } from "./transaction.js" */

/** A key that a change concerned, and its versions before and after. @typedef {{ before: Row | null, after: Row }} Step */

/** @typedef {{ description: string, steps: Step[] }} OwnChange */

/** Changes that are remembered. */
const MOST_CHANGES = 100;

/** Makes changes to a replica, and takes them back. What it takes back is no change that could be taken back in turn. */
export class Changes {
  /** @type {OwnChange[]} */
  #made = [];
  #replica;

  /** @param {Replica} replica */
  constructor(replica) {
    this.#replica = replica;
  }

  /**
   * Make a change, and remember it.
   * @template Result
   * @param {string} description
   * @param {(transaction: Transaction) => Result} act
   * @returns {Promise<Result>}
   */
  async make(description, act) {
    /** @type {Map<string, Row | null>} */
    const before = new Map();
    /** @type {Map<string, Row>} */
    let after = new Map();
    const result = await this.#replica.change((transaction) => {
      const made = act(transaction);
      after = transaction.rows;
      for (const key of after.keys()) before.set(key, this.#replica.rows.get(key) ?? null);
      return made;
    });
    const steps = Array.from(after, ([key, row]) => ({ before: before.get(key) ?? null, after: row }));
    this.#made.push({ description, steps });
    this.#made.splice(0, this.#made.length - MOST_CHANGES);
    return result;
  }

  /** What can be taken back, `null` if there is nothing. */
  get last() {
    return this.#made.at(-1) ?? null;
  }

  /** Take back the last change, as far as its keys have not changed since; return the keys that have changed now. */
  async undo() {
    const last = this.#made.at(-1);
    if (last === undefined) return [];
    const steps = last.steps.filter((step) => this.#isCurrent(step));
    /** @type {Map<Step, Bytes | null>} */
    const values = new Map();
    for (const step of steps) values.set(step, await this.#readBefore(step));
    const keys = await this.#replica.change((transaction) =>
      steps.filter((step) => this.#isCurrent(step)).flatMap((step) => takeBack(transaction, step, values.get(step) ?? null)),
    );
    this.#made = this.#made.filter((made) => made !== last);
    return keys;
  }

  /** @param {Step} step */
  #isCurrent({ after }) {
    const row = this.#replica.rows.get(after.entry.key);
    return row !== undefined && row.entry.processId === after.entry.processId && row.entry.counter === after.entry.counter;
  }

  /** @param {Step} step */
  async #readBefore({ before }) {
    const content = before?.content ?? null;
    return content === null ? null : this.#replica.readWhole(content);
  }
}

/**
 * @param {Transaction} transaction
 * @param {Step} step
 * @param {Bytes | null} value
 */
function takeBack(transaction, { before, after }, value) {
  const { key } = after.entry;
  if (before === null || isDeleted(before.entry)) {
    removeVersion(transaction, key);
    return [key];
  }
  const { content, entry } = before;
  if (content !== null && content.id !== null && value === null) return []; // it is not kept any longer
  const { size, mode, modTime, urlToken } = entry;
  const kept = transaction.keep(content, value);
  writeVersion(transaction, key, { content: isFile(entry) ? kept : null, size, mode, modTime, urlToken });
  return [key];
}
