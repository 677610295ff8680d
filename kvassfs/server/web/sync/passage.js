/** How entries look on their way between a replica and its hub: as they are, where the hub can read them: kvassfs/sync/passage.py. */

import { estimateParts, measureList } from "../messages/entry_messages.js";
import { countListed } from "../words/block.js";
import { areEqual, hashBytes } from "../words/bytes.js";
import { InvalidMessage } from "../words/errors.js";
import { HubIsSealed, NotAHub, ValueMissing } from "./errors.js";

/** @import { PullResponse } from "../messages/messages.js" */
/** @import { Arrived } from "../replica/merging.js" */
/** @import { Replica } from "../replica/replica.js" */
/** @import { Content, Row } from "../replica/rows.js" */
/** @import { Bytes } from "../words/bytes.js" */
/** @import { Delivery, Entry } from "../words/entry.js" */
/** @import { HubClient } from "./hub_client.js" */

/**
 * A row to push, and what of it goes to the hub; `null` if nothing does, and it counts as pushed. `readBlocks` yields the blocks that the hub
 * lacks, as it names them; it ends where one is not here any more.
 * @typedef {{
 *   row: Row, delivery: Delivery | null, readBlocks: (missing: readonly Bytes[]) => AsyncGenerator<Bytes, void, void>,
 * }} Packed
 */

/** @typedef {{ arrived: Arrived[], isComplete: boolean, finish: () => Promise<void> }} Taken */

/**
 * Makes what goes to the hub, and opens what comes from it.
 *
 * - `estimate` returns about how many bytes a row takes in a message.
 * - `pack` returns rows as they go to the hub, without those that have been replaced, or that nobody here can make.
 * - `open` returns what a page says; `isComplete` is false where something of it is to be asked for again, unless it is the `last` time.
 *   `finish` does what follows once that has been merged.
 * - `fetch` gets the missing blocks of a value; it rejects with ValueMissing where the hub has not got one.
 * @typedef {{
 *   estimate(row: Row): number,
 *   pack(rows: readonly Row[]): Promise<Packed[]>,
 *   open(response: PullResponse, last: boolean): Promise<Taken>,
 *   fetch(entry: Entry, content: Content, report: (part: number) => void): Promise<void>,
 * }} Passage
 */

const SEALED_KEY = /^~[A-Za-z0-9_-]{43}$/;

/**
 * Return the way to a hub that can read what it keeps.
 * @param {Replica} replica
 * @param {HubClient} client
 * @returns {Passage}
 */
export function makePlainPassage(replica, client) {
  return {
    estimate: estimateRow,
    async pack(rows) {
      const readBlocks = (/** @type {readonly Bytes[]} */ missing) => readPlainBlocks(replica, missing);
      const packed = await Promise.all(rows.map(async (row) => ({ row, delivery: await makeDelivery(replica, row), readBlocks })));
      return packed.filter(({ delivery }) => delivery !== null);
    },
    async open({ deliveries }) {
      if (deliveries.some(looksSealed)) throw new HubIsSealed();
      const arrived = await Promise.all(deliveries.map((delivery) => receive(replica, delivery)));
      return { arrived, isComplete: true, finish: async () => undefined };
    },
    fetch(_, content, report) {
      const wanted = replica.findMissing(content).map((hash) => ({ hash, sealed: hash }));
      return fetchBlocks(replica, client, wanted, checkBlock, report);
    },
  };
}

/**
 * @param {Replica} replica
 * @param {readonly Bytes[]} missing
 */
async function* readPlainBlocks(replica, missing) {
  for (const hash of missing) {
    const block = await replica.readBlock(hash);
    if (block === null) return;
    yield block;
  }
}

/**
 * Return about how many bytes a row takes in a message.
 * @param {Row} row
 */
export function estimateRow({ entry, content }) {
  return estimateParts(entry.key, content === null || content.id !== null ? entry.size : measureList(content));
}

/**
 * Return a row as it travels, with its value or the hashes of its blocks, of which the hub may have what is not here; `null` if the value
 * has been replaced.
 * @param {Replica} replica
 * @param {Row} row
 * @returns {Promise<Delivery | null>}
 */
export async function makeDelivery(replica, { entry, content, sequence }) {
  const nothing = new Uint8Array();
  if (content === null) return { entry, sequence, value: nothing, blocks: nothing, counts: [] };
  if (content.id !== null) {
    const value = await replica.readWhole(content);
    return value === null ? null : { entry, sequence, value, blocks: nothing, counts: [] };
  }
  return { entry, sequence, value: null, blocks: content.blocks, counts: content.counts };
}

/**
 * Return a delivery as it is merged: a value that comes whole stays whole, unless it is too large for that.
 * @param {Replica} replica
 * @param {Delivery} delivery
 * @returns {Promise<Arrived>}
 */
export async function receive(replica, { entry, sequence, value, blocks, counts }) {
  if (value === null) {
    if (countListed({ blocks, counts }) !== Math.ceil(entry.size / replica.sizes.block)) {
      throw new InvalidMessage("an entry has other blocks than its size makes");
    }
    return { entry, sequence, value, content: { id: null, blocks, counts, source: null } };
  }
  if (value.length <= replica.sizes.block && value.length > 0) {
    return { entry, sequence, value, content: { id: null, blocks: await hashBytes(value), counts: [], source: null } };
  }
  return { entry, sequence, ...(await replica.prepare(new Blob([value]))) };
}

/**
 * A block that is to be had from the hub: its hash here, and what it is called there.
 * @typedef {{ hash: Bytes, sealed: Bytes }} Wanted
 */

/**
 * Get blocks from the hub, a few at a time. `open` checks what the hub has, and returns the block.
 * @template {Wanted} Part
 * @param {Replica} replica
 * @param {HubClient} client
 * @param {readonly Part[]} wanted
 * @param {(part: Part, block: Bytes) => Promise<Bytes>} open
 * @param {(part: number) => void} report
 */
export async function fetchBlocks(replica, client, wanted, open, report) {
  const { pageBlocks } = replica.sizes;
  for (let start = 0; start < wanted.length; start += pageBlocks) {
    const parts = wanted.slice(start, start + pageBlocks);
    const blocks = await client.findBlocks(parts.map(({ sealed }) => sealed));
    for (const [index, part] of parts.entries()) {
      const block = blocks[index] ?? null;
      if (block === null) throw new ValueMissing();
      await replica.putBlock(part.hash, (await open(part, block)).slice());
    }
    report((start + parts.length) / wanted.length);
  }
}

/**
 * @param {Wanted} part
 * @param {Bytes} block
 */
async function checkBlock({ hash }, block) {
  if (!areEqual(await hashBytes(block), hash)) throw new NotAHub("a block is not the one that was asked for");
  return block;
}

/**
 * Return true for what only a device of a sealed store pushes: an opaque key, and nothing else but a value.
 * @param {Delivery} delivery
 */
function looksSealed({ entry: { key, size, mode, modTime, seen, origin } }) {
  return SEALED_KEY.test(key) && size > 0 && mode === null && modTime === null && seen === null && origin === null;
}
