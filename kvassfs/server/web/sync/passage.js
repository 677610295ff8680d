/** How entries look on their way between a replica and its hub: as they are, where the hub can read them: kvassfs/sync/passage.py. */

import { fitBlocks } from "../replica/replica.js";
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

/** Bytes of an entry's message beside its key and value, about. */
const AROUND_BYTES = 300;

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
    fetch: (_, content, report) => fetchBlocks(replica, client, replica.findMissing(content), report),
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
 * Return about how many bytes a row takes in a message, where a value, or the list of its blocks, is in base64.
 * @param {Row} row
 */
export function estimateRow({ entry, content }) {
  const size = content === null || content.id !== null ? entry.size : content.blocks.length;
  return AROUND_BYTES + 2 * entry.key.length + Math.ceil((size * 4) / 3);
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
    if (!fitBlocks(blocks, counts, entry.size, replica.sizes.block)) throw new InvalidMessage("an entry has other blocks than its size makes");
    return { entry, sequence, value, content: { id: null, blocks, counts, source: null } };
  }
  if (value.length <= replica.sizes.block && value.length > 0) {
    return { entry, sequence, value, content: { id: null, blocks: await hashBytes(value), counts: [], source: null } };
  }
  return { entry, sequence, ...(await replica.prepare(new Blob([value]))) };
}

/**
 * Get blocks from the hub, a few at a time, each checked.
 * @param {Replica} replica
 * @param {HubClient} client
 * @param {readonly Bytes[]} missing
 * @param {(part: number) => void} report
 */
async function fetchBlocks(replica, client, missing, report) {
  for (let start = 0; start < missing.length; start += replica.sizes.pageBlocks) {
    const hashes = missing.slice(start, start + replica.sizes.pageBlocks);
    const blocks = await client.findBlocks(hashes);
    for (const [index, hash] of hashes.entries()) {
      const block = blocks[index] ?? null;
      if (block === null) throw new ValueMissing();
      if (!areEqual(await hashBytes(block), hash)) throw new NotAHub("a block is not the one that was asked for");
      await replica.putBlock(hash, block.slice());
    }
    report((start + hashes.length) / missing.length);
  }
}

/**
 * Return true for what only a device of a sealed store pushes: an opaque key, and nothing else but a value.
 * @param {Delivery} delivery
 */
function looksSealed({ entry: { key, size, mode, modTime, seen, origin } }) {
  return SEALED_KEY.test(key) && size > 0 && mode === null && modTime === null && seen === null && origin === null;
}
