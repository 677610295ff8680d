/** Pushing: what the hub has not acknowledged is sent to it, page by page: kvassfs/sync/pusher.py, kvassfs/sync/page_pusher.py. */

import { acknowledge, finalise } from "../replica/outbox.js";
import { splitHashes } from "../words/block.js";
import { encodeUrl } from "../words/bytes.js";
import { HubFailed } from "./errors.js";
import { TRIES } from "./hub_client.js";
import { knowHub } from "./recognition.js";

/** @import { Replica } from "../replica/replica.js" */
/** @import { Row } from "../replica/rows.js" */
/** @import { Bytes } from "../words/bytes.js" */
/** @import { HubClient } from "./hub_client.js" */
/** @import { Packed, Passage } from "./passage.js" */

/**
 * Blocks on their way to the hub: those that it lacked of an entry, how many these were, and how many are still to be sent.
 * @typedef {{ blocks: AsyncGenerator<Bytes, void, void>, total: number, left: number }} Upload
 */

/** Rows that are read for a page at most. */
const MOST_ROWS = 2000;

/** Pushes from a replica; for one push. `report` is told how many blocks of large values have been sent, of those that the hub lacked. */
export class Pusher {
  /** @type {Map<string, Upload>} */
  #uploads = new Map();
  /** Keys of what cannot be pushed, as its value is not here. @type {Set<string>} */
  #leftOut = new Set();
  /** @type {Map<string, number>} */
  #tries = new Map();
  /** Blocks of values of which all have been sent. */
  #sent = 0;
  #replica;
  #client;
  #passage;
  #report;

  /**
   * @param {Replica} replica
   * @param {HubClient} client
   * @param {Passage} passage
   * @param {(done: number, total: number) => void} report
   */
  constructor(replica, client, passage, report) {
    this.#replica = replica;
    this.#client = client;
    this.#passage = passage;
    this.#report = report;
  }

  /** Push what is dirty; return how many entries the hub has acknowledged. */
  async push() {
    let count = 0;
    for (;;) {
      const rows = this.#readDirty();
      if (rows.length > 0) count += await this.#pushPage(rows);
      if (this.#uploads.size > 0) await this.#sendBlocks();
      else if (rows.length === 0) return count;
    }
  }

  /** Return a page of what is dirty, in the order of sequences. */
  #readDirty() {
    const { dirty, rows } = this.#replica;
    const found = [];
    for (const key of dirty) {
      const row = rows.get(key);
      if (row !== undefined && !this.#uploads.has(key) && !this.#leftOut.has(key)) found.push(row);
    }
    return found.sort((one, other) => one.sequence - other.sequence).slice(0, MOST_ROWS);
  }

  /** @param {Row[]} rows */
  async #pushPage(rows) {
    const { stampingTime } = this.#replica;
    const final = await this.#replica.change((transaction) => finalise(transaction, this.#choosePage(rows), stampingTime));
    const packed = await this.#passage.pack(final);
    this.#leaveOut(final, packed);
    const deliveries = packed.flatMap(({ delivery }) => delivery ?? []);
    const known = knowHub(this.#replica.facts);
    const response = deliveries.length === 0 ? null : await this.#client.push(deliveries, known);
    if (deliveries.length > 0 && response === null) return 0;
    const arrived = this.#sortOut(packed, response === null ? new Uint8Array() : response.missing);
    await this.#replica.change((transaction) => {
      if (transaction.facts.hub.epoch === known.epoch) acknowledge(transaction, arrived);
    });
    return arrived.length;
  }

  /**
   * Return the rows that go into one message.
   * @param {Row[]} rows
   */
  #choosePage(rows) {
    let size = 0;
    const end = rows.findIndex((row) => {
      size += this.#passage.estimate(row);
      return size > this.#replica.sizes.page;
    });
    return end < 0 ? rows : rows.slice(0, Math.max(1, end));
  }

  /**
   * Leave out from now on what cannot be sent, as its value is not here; what has been replaced is pushed in its turn.
   * @param {Row[]} rows
   * @param {Packed[]} packed
   */
  #leaveOut(rows, packed) {
    const sent = new Set(packed.map(({ row }) => row));
    for (const row of rows) {
      if (!sent.has(row) && this.#replica.rows.get(row.entry.key) === row) this.#leftOut.add(row.entry.key);
    }
  }

  /**
   * Return the rows that have arrived, and note the blocks that the hub lacks of the others.
   * @param {Packed[]} packed
   * @param {Bytes} missing
   */
  #sortOut(packed, missing) {
    const lacking = new Set(splitHashes(missing).map(encodeUrl));
    return packed.flatMap((each) => {
      const hashes = each.delivery === null ? [] : splitHashes(each.delivery.blocks);
      const wanted = new Map(hashes.map((hash) => [encodeUrl(hash), hash]));
      const left = [...wanted].filter(([name]) => lacking.has(name)).map(([, hash]) => hash);
      if (left.length === 0) return [each.row];
      this.#noteMissing(each, left);
      return [];
    });
  }

  /**
   * @param {Packed} packed
   * @param {Bytes[]} missing
   */
  #noteMissing(packed, missing) {
    const { key, urlToken } = packed.row.entry;
    const tries = (this.#tries.get(`${key}\0${urlToken}`) ?? 0) + 1;
    this.#tries.set(`${key}\0${urlToken}`, tries);
    if (tries > TRIES) throw new HubFailed(200, "it does not keep what is sent to it");
    this.#uploads.set(key, { blocks: packed.readBlocks(missing), total: missing.length, left: missing.length });
    this.#reportBlocks();
  }

  #reportBlocks() {
    const uploads = [...this.#uploads.values()];
    const total = uploads.reduce((sum, upload) => sum + upload.total, this.#sent);
    this.#report(total - uploads.reduce((sum, { left }) => sum + left, 0), total);
  }

  /** Send one message of blocks; where none of an entry is left, the entry is pushed once more. */
  async #sendBlocks() {
    const [first] = this.#uploads;
    if (first === undefined) return;
    const [key, upload] = first;
    const blocks = [];
    while (blocks.length < this.#replica.sizes.pageBlocks) {
      const { value, done } = await upload.blocks.next();
      if (done) break;
      blocks.push(value);
    }
    if (blocks.length > 0) await this.#client.sendBlocks(blocks);
    upload.left -= blocks.length;
    if (blocks.length < this.#replica.sizes.pageBlocks) {
      this.#uploads.delete(key);
      this.#sent += upload.total - upload.left;
      if (upload.left > 0) this.#leftOut.add(key); // what the hub lacks is not here either
    }
    this.#reportBlocks();
  }
}
