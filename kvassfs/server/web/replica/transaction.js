/** Changes that are made together or not at all: read and write what they concern, and are nothing before they are committed. */

/** @import { Bytes, Random } from "../words/bytes.js" */
/** @import { Content, Facts, Kept, Row } from "./rows.js" */
/** @import { Sizes } from "./sizes.js" */

/**
 * What a transaction begins with. `dirty` has the keys of the dirty rows. `now` returns µs by our clock, and `dated` by the one that dates
 * what is written.
 * @typedef {{
 *   facts: Facts, rows: ReadonlyMap<string, Row>, kept: ReadonlyMap<string, readonly Kept[]>, sizes: Sizes,
 *   now: () => number, dated: () => number, random: Random, isSealed: boolean,
 * }} Base
 */

export class Transaction {
  /** @type {Map<string, Row>} */
  rows = new Map();
  /** @type {Map<string, readonly Kept[]>} */
  kept = new Map();
  /** Whole values that are new, by their numbers. @type {Map<number, Bytes>} */
  values = new Map();
  /** Numbers of whole values that nothing has any more. @type {Set<number>} */
  dropped = new Set();

  #base;

  /** @param {Base} base */
  constructor(base) {
    this.#base = base;
    this.facts = { ...base.facts, hub: { ...base.facts.hub } };
    this.sizes = base.sizes;
    this.random = base.random;
    this.isSealed = base.isSealed;
    this.now = base.now();
    this.dated = base.dated();
  }

  /**
   * Return the current version of a key, a tombstone included.
   * @param {string} key
   * @returns {Row | null}
   */
  row(key) {
    return this.rows.get(key) ?? this.#base.rows.get(key) ?? null;
  }

  /**
   * Return the earlier versions of a key, in the order in which they became some.
   * @param {string} key
   */
  listKept(key) {
    return this.kept.get(key) ?? this.#base.kept.get(key) ?? [];
  }

  /** Yield all rows. */
  *allRows() {
    yield* this.rows.values();
    for (const [key, row] of this.#base.rows) if (!this.rows.has(key)) yield row;
  }

  /** @param {Row} row */
  put(row) {
    this.rows.set(row.entry.key, row);
  }

  /** Advance the clock for one event, and return it. */
  tick() {
    this.facts.clock += 1;
    return this.facts.clock;
  }

  /**
   * Keep a whole value and return its number.
   * @param {Bytes} value
   */
  addValue(value) {
    const id = this.facts.nextValue;
    this.facts.nextValue += 1;
    this.values.set(id, value);
    return id;
  }

  /**
   * Return where a value is kept; `value` is `null` where it is in blocks, which are kept beside.
   * @param {Content | null} content
   * @param {Bytes | null} value
   * @returns {Content | null}
   */
  keep(content, value) {
    if (value === null || content === null) return content;
    const { blocks, counts, source } = content;
    return { id: this.addValue(value), blocks, counts, source };
  }

  /**
   * Let go of a value that nothing has any more; of one in blocks, these are cleaned up later.
   * @param {Content | null} content
   */
  drop(content) {
    if (content === null || content.id === null) return;
    if (!this.values.delete(content.id)) this.dropped.add(content.id);
  }
}
