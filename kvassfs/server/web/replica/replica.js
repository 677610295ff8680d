/** The store of this device: all metadata is in memory, and every change is written before it counts. */

import { pairRuns, splitHashes } from "../words/block.js";
import { encodeUrl, hashBytes, joinBytes, viewNumbers } from "../words/bytes.js";
import { MAX_PROCESS_ID } from "../words/entry.js";
import { KvassError } from "../words/errors.js";
import { expireKept } from "./history.js";
import { decodeChanges, encodeChanges } from "./records.js";
import { HubTime } from "./hub_time.js";
import { makeFacts } from "./rows.js";
import { SIZES } from "./sizes.js";
import { Transaction } from "./transaction.js";

/** @import { Bytes, Random } from "../words/bytes.js" */
/** @import { Storage } from "../storage/storage.js" */
/** @import { Machine } from "./hub_time.js" */
/** @import { Content, Facts, Kept, Row } from "./rows.js" */
/** @import { Sizes } from "./sizes.js" */

/**
 * What a replica is made of. `isSealed`: its hub cannot read it.
 * @typedef {{ storage: Storage, machine: Machine, random: Random, sizes?: Sizes, isSealed?: boolean }} Parts
 */

/** A value that is about to be written: whole, or `null` where its blocks are kept already. */
/** @typedef {{ value: Bytes | null, content: Content | null, size: number }} Prepared */

/** Rows in a record, where records are rewritten. */
const ROWS_IN_RECORD = 2000;

/** Records that were added since they were rewritten, and bytes in them, beyond which they are rewritten again. */
const MOST_RECORDS = 500;
const MOST_RECORD_BYTES = 4 * 1024 * 1024;

export class Replica {
  /** @type {Map<string, Row>} */
  rows = new Map();
  /** @type {Map<string, readonly Kept[]>} */
  kept = new Map();
  /** Keys of what the hub has not acknowledged. @type {Set<string>} */
  dirty = new Set();
  /** @type {Facts} */
  facts;
  /** How often something has changed. */
  version = 0;

  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {Set<string>} */
  #blocks = new Set();
  /** @type {Promise<unknown>} */
  #queue = Promise.resolve();
  #isClosed = false;
  #added = { records: 0, bytes: 0 };
  /** How many values that were prepared have a block, so that one that failed takes no other's with it. @type {Map<string, number>} */
  #prepared = new Map();
  #storage;
  #random;

  /** @param {Parts} parts */
  constructor({ storage, machine, random, sizes = SIZES, isSealed = false }) {
    this.#storage = storage;
    this.#random = random;
    this.machine = machine;
    this.sizes = sizes;
    this.isSealed = isSealed;
    this.hubTime = new HubTime(machine);
    this.facts = makeFacts(drawProcessId(random));
  }

  /** Read what is kept. */
  async load() {
    const { records, blocks } = await this.#storage.load();
    for (const record of records) {
      const { facts, rows, kept } = decodeChanges(record);
      this.facts = facts;
      for (const row of rows) this.#putRow(row);
      for (const [key, list] of kept) this.#putKept(key, list);
    }
    this.#added = { records: records.length, bytes: records.reduce((bytes, record) => bytes + record.length, 0) };
    this.#blocks = new Set(blocks);
    await this.#sweepBlocks();
    this.version += 1;
  }

  /**
   * Return the earlier versions of a key, in the order in which they became some.
   * @param {string} key
   */
  listKept(key) {
    return this.kept.get(key) ?? [];
  }

  /**
   * Have `listener` called after every change; return what ends that.
   * @param {() => void} listener
   */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Make changes, one after another: `act` makes them all at once in a transaction, which counts when it has been written.
   * @template Result
   * @param {(transaction: Transaction) => Result} act
   * @returns {Promise<Result>}
   */
  change(act) {
    const done = this.#queue.then(() => this.#change(act));
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** Let nothing change any more, and wait for what is being changed. */
  async close() {
    this.#isClosed = true;
    await this.#queue;
  }

  /**
   * @template Result
   * @param {(transaction: Transaction) => Result} act
   */
  async #change(act) {
    if (this.#isClosed) throw new ReplicaClosed();
    const transaction = new Transaction({
      ...{ facts: this.facts, rows: this.rows, kept: this.kept, sizes: this.sizes, random: this.#random },
      isSealed: this.isSealed,
      now: this.machine.now,
      dated: () => Math.max(this.machine.now() + (this.#datingDifference() ?? 0), 0),
    });
    const result = act(transaction);
    const { facts, rows, kept, values, dropped } = transaction;
    if (rows.size + kept.size > 0 || JSON.stringify(facts) !== JSON.stringify(this.facts)) {
      const record = encodeChanges({ facts, rows: rows.values(), kept });
      await this.#storage.commit({ record, values, dropped });
      this.#apply(transaction);
      await this.#rewriteIfLong(record.length).catch(() => undefined); // all is kept already; it is tried again later
    }
    return result;
  }

  /** @param {Transaction} transaction */
  #apply({ facts, rows, kept }) {
    this.facts = facts;
    for (const row of rows.values()) this.#putRow(row);
    for (const [key, list] of kept) this.#putKept(key, list);
    this.version += 1;
    for (const listener of this.#listeners) listener();
  }

  /** @param {Row} row */
  #putRow(row) {
    const { key } = row.entry;
    this.rows.set(key, row);
    if (row.isDirty) this.dirty.add(key);
    else this.dirty.delete(key);
  }

  /**
   * @param {string} key
   * @param {readonly Kept[]} list
   */
  #putKept(key, list) {
    if (list.length === 0) this.kept.delete(key);
    else this.kept.set(key, list);
  }

  /** @param {number} bytes */
  async #rewriteIfLong(bytes) {
    const { records, bytes: before } = this.#added;
    this.#added = { records: records + 1, bytes: before + bytes };
    if (records < MOST_RECORDS && before < Math.max(MOST_RECORD_BYTES, this.rows.size * 400)) return;
    const rows = [...this.rows.values()];
    const pages = [encodeChanges({ facts: this.facts, rows: [], kept: this.kept })];
    for (let start = 0; start < rows.length; start += ROWS_IN_RECORD) {
      pages.push(encodeChanges({ facts: this.facts, rows: rows.slice(start, start + ROWS_IN_RECORD), kept: [] }));
    }
    this.#added = { records: 0, bytes: 0 };
    await this.#storage.rewrite(pages);
  }

  /** Return the difference by which versions are dated: never that of a hub which cannot read them. */
  #datingDifference() {
    return this.isSealed ? null : this.hubTime.difference();
  }

  /** What the hub's clock differs by and shows, by which versions are stamped anew that are sent; `null` if that is not known. */
  get stampingTime() {
    const difference = this.#datingDifference();
    return difference === null ? null : { difference, now: this.machine.now() + difference };
  }

  /** Let go of what has been kept for longer than the time for that. */
  async expire() {
    const before = this.machine.now() - this.sizes.keptTime;
    const old = [...this.kept].filter(([, list]) => list.some((kept) => kept.replaced < before));
    if (old.length === 0) return;
    await this.change((transaction) => {
      for (const [key] of old) expireKept(transaction, key);
    });
  }

  // Values

  /**
   * Prepare a value to be written; a large one is kept in blocks at once. `report` is told how much of it is, from 0 to 1.
   * @param {Blob} value
   * @param {(part: number) => void} [report]
   * @returns {Promise<Prepared>}
   */
  async prepare(value, report = () => undefined) {
    const { size } = value;
    if (size === 0) return { value: null, content: null, size };
    /** @type {Bytes[]} */
    const hashes = [];
    const pieces = [];
    try {
      for (let at = 0; at < size; at += this.sizes.block) {
        const piece = new Uint8Array(await value.slice(at, at + this.sizes.block).arrayBuffer());
        const hash = await hashBytes(piece);
        hashes.push(hash);
        if (size <= this.sizes.whole) pieces.push(piece);
        else await this.#prepareBlock(hash, piece);
        report(Math.min(1, (at + piece.length) / size));
      }
    } catch (error) {
      if (size > this.sizes.whole) await this.#dropPrepared(hashes);
      throw error;
    }
    const content = { id: null, blocks: joinBytes(hashes), counts: [], source: null };
    return { value: size <= this.sizes.whole ? joinBytes(pieces) : null, content, size };
  }

  /**
   * @param {Bytes} hash
   * @param {Bytes} data
   */
  #prepareBlock(hash, data) {
    const name = encodeUrl(hash);
    this.#prepared.set(name, (this.#prepared.get(name) ?? 0) + 1);
    return this.putBlock(hash, data);
  }

  /**
   * Let go of the blocks of a value that could not be prepared, lest they take the room of what else is to be saved.
   * @param {readonly Bytes[]} hashes
   */
  async #dropPrepared(hashes) {
    for (const name of hashes.map(encodeUrl)) {
      const left = (this.#prepared.get(name) ?? 0) - 1;
      if (left > 0) this.#prepared.set(name, left);
      else this.#prepared.delete(name);
    }
    const names = new Set(hashes.map(encodeUrl));
    await this.#dropUnused([...names].filter((name) => this.#blocks.has(name) && !this.#prepared.has(name)));
  }

  /**
   * Return a value that is kept whole, `null` if it is not, or no more.
   * @param {Content} content
   */
  async readWhole(content) {
    return content.id === null ? null : this.#storage.readValue(content.id);
  }

  /**
   * Return true if a value needs no hub.
   * @param {Content | null} content
   */
  isHere(content) {
    return content === null || content.id !== null || splitHashes(content.blocks).every((hash) => this.hasBlock(hash));
  }

  /**
   * Return the hashes of the blocks that a value needs and that are not here, each once.
   * @param {Content | null} content
   */
  findMissing(content) {
    if (content === null || content.id !== null) return [];
    const missing = new Map(splitHashes(content.blocks).map((hash) => [encodeUrl(hash), hash]));
    return [...missing].filter(([name]) => !this.#blocks.has(name)).map(([, hash]) => hash);
  }

  /** @param {Bytes} hash */
  hasBlock(hash) {
    return this.#blocks.has(encodeUrl(hash));
  }

  /** @param {Bytes} hash */
  readBlock(hash) {
    return this.#storage.readBlock(encodeUrl(hash));
  }

  /**
   * Keep a block. What has a hash is checked by the caller.
   * @param {Bytes} hash
   * @param {Bytes} data
   */
  async putBlock(hash, data) {
    const name = encodeUrl(hash);
    if (this.#blocks.has(name)) return;
    await this.#storage.writeBlock(name, data);
    this.#blocks.add(name);
  }

  /**
   * Yield the pieces of a value that is here, in order. Throws if a piece is not here any more.
   * @param {Content | null} content
   * @returns {AsyncGenerator<Bytes, void, void>}
   */
  async *readPieces(content) {
    if (content === null) return;
    if (content.id !== null) {
      yield requirePiece(await this.#storage.readValue(content.id));
      return;
    }
    for (const [hash, times] of pairRuns(content.blocks, content.counts)) {
      const block = requirePiece(await this.readBlock(hash));
      for (let left = times; left > 0; left -= 1) yield block;
    }
  }

  /** Let go of blocks that nothing has, as of versions that are not kept any more. */
  async #sweepBlocks() {
    if (this.#blocks.size > 0) await this.#dropUnused([...this.#blocks]);
  }

  /**
   * Let go of those blocks that nothing has.
   * @param {readonly string[]} names
   */
  async #dropUnused(names) {
    const needed = new Set();
    const note = (/** @type {{ content: Content | null }} */ { content }) => {
      if (content === null || content.id !== null) return;
      for (const hash of splitHashes(content.blocks)) needed.add(encodeUrl(hash));
    };
    for (const row of this.rows.values()) note(row);
    for (const list of this.kept.values()) list.forEach(note);
    const unused = names.filter((name) => !needed.has(name));
    for (const name of unused) this.#blocks.delete(name);
    if (unused.length > 0) await this.#storage.dropBlocks(unused);
  }
}

/** The value has been replaced while it was read. */
export class ValueGone extends KvassError {
  constructor() {
    super("It was replaced while it was being read: open it again.");
  }
}

/** The store is not open any more. */
export class ReplicaClosed extends KvassError {
  constructor() {
    super("The store is not open here any more: nothing was changed.");
  }
}

/** @param {Bytes | null} piece */
function requirePiece(piece) {
  if (piece === null) throw new ValueGone();
  return piece;
}

/**
 * Return a random process id.
 * @param {Random} random
 */
export function drawProcessId(random) {
  return Number(viewNumbers(random(8)).getBigUint64(0) % BigInt(MAX_PROCESS_ID)) + 1;
}
