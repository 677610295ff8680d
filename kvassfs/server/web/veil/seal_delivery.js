/** Entries on their way to a hub that cannot read: kvassfs/veil/deliveries.py. Nothing in here is random, so what is sealed again is the same. */

import { BLOCK_SIZE, HASH_BYTES, pairRuns } from "../words/block.js";
import { encodeHex, hashBytes, joinBytes } from "../words/bytes.js";
import { NO_EXTRAS } from "../words/entry_fields.js";
import { KvassError } from "../words/errors.js";
import { isEcho, parseRecord } from "../words/share_link.js";
import { hideVersion } from "./keys.js";
import { layOut } from "./layout.js";
import { isProven } from "./links.js";
import { sealBlock } from "./seal_block.js";
import { sealTail, sealValue } from "./seal_value.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Delivery, Entry } from "../words/entry.js" */
/** @import { ShareLink } from "../words/share_link.js" */
/** @import { Outside, VeilKeys } from "./keys.js" */
/** @import { Run } from "./seal_lists.js" */

/**
 * The blocks of a store that is sealed: `read` returns one, `findSealed` the hash of a full one as the hub has it (`computeSealedHash`),
 * which is kept.
 * @typedef {{ read(hash: Bytes): Promise<Bytes>, findSealed(hash: Bytes): Promise<Bytes> }} PlainBlocks
 */

/**
 * Return what of an entry goes to the hub; `null` if nothing may: a link that was made before the store was sealed. `links` are the live
 * ones of the key; `blocks` are needed for a value that travels in blocks. Throws KvassError if it is longer than what can be sealed.
 * @param {VeilKeys} keys
 * @param {Delivery} delivery
 * @param {ShareLink[]} links
 * @param {PlainBlocks | null} blocks
 * @returns {Promise<Delivery | null>}
 */
export async function sealDelivery(keys, delivery, links, blocks) {
  const { entry, sequence, value } = delivery;
  if (isEcho(entry.key)) return delivery;
  if (parseRecord(entry.key) !== null) return (await isProven(keys, entry.key)) ? delivery : null;
  const outside = await hideVersion(keys, entry);
  if (value === null) {
    if (blocks === null) throw new KvassError("The blocks of a large value are needed to seal it.");
    return sealLarge(keys, outside, delivery, links, blocks);
  }
  const sealed = await sealValue(keys, outside, entry, value, links);
  return { entry: makeOuter(outside, entry, sealed.length), sequence, value: sealed, blocks: new Uint8Array(), counts: [] };
}

/**
 * @param {Outside} outside
 * @param {Entry} entry
 * @param {number} size
 * @returns {Entry}
 */
function makeOuter({ name, token }, { timestamp, counter, processId }, size) {
  return { key: name, timestamp, counter, processId, urlToken: token, size, ...NO_EXTRAS };
}

/**
 * @param {VeilKeys} keys
 * @param {Outside} outside
 * @param {Delivery} delivery
 * @param {ShareLink[]} links
 * @param {PlainBlocks} blocks
 * @returns {Promise<Delivery>}
 */
async function sealLarge(keys, outside, delivery, links, blocks) {
  let size = layOut(delivery.entry.size).firstList;
  /** @type {Run[]} */
  const runs = [];
  for (const [hash, times] of findFull(delivery)) runs.push([await blocks.findSealed(hash), times]);
  for await (const [piece, times] of makeTail(keys, outside, delivery, links, blocks)) {
    size += piece.length * times;
    runs.push([await hashBytes(piece), times]);
  }
  const { entry, sequence } = delivery;
  return { entry: makeOuter(outside, entry, size), sequence, value: null, ...joinHashes(runs) };
}

/**
 * Yield the blocks with the `wanted` hashes, in hexadecimal digits, of a large value, as `sealDelivery` lists them, each once, in order.
 * @param {VeilKeys} keys
 * @param {Delivery} delivery
 * @param {ShareLink[]} links
 * @param {PlainBlocks} blocks
 * @param {ReadonlySet<string>} wanted
 * @returns {AsyncGenerator<Bytes, void, void>}
 */
export async function* makeBlocks(keys, delivery, links, blocks, wanted) {
  const outside = await hideVersion(keys, delivery.entry);
  const left = new Set(wanted);
  for (const [hash] of findFull(delivery)) {
    if (left.size === 0) return;
    if (left.delete(encodeHex(await blocks.findSealed(hash)))) yield sealBlock(keys, await blocks.read(hash), hash);
  }
  if (left.size === 0) return;
  for await (const [piece] of makeTail(keys, outside, delivery, links, blocks)) {
    if (left.delete(encodeHex(await hashBytes(piece)))) yield piece;
  }
}

/**
 * Yield the hashes of the full blocks of a value, and how often each comes.
 * @param {Delivery} delivery
 * @returns {Generator<Run, void, void>}
 */
function* findFull({ entry, blocks, counts }) {
  let left = layOut(entry.size).blocks;
  for (const [hash, times] of pairRuns(blocks, counts)) {
    const taken = Math.min(left, times);
    if (taken > 0) yield [hash, taken];
    left -= taken;
  }
  if (left > 0) throw new KvassError("A value has fewer blocks than its size makes.");
}

/**
 * Yield what follows the full blocks of a value, as blocks of the hub, and how often each comes.
 * @param {VeilKeys} keys
 * @param {Outside} outside
 * @param {Delivery} delivery
 * @param {ShareLink[]} links
 * @param {PlainBlocks} blocks
 * @returns {AsyncGenerator<Run, void, void>}
 */
async function* makeTail(keys, outside, delivery, links, blocks) {
  const hasLast = layOut(delivery.entry.size).last > 0;
  const last = hasLast ? await blocks.read(delivery.blocks.subarray(-HASH_BYTES)) : new Uint8Array();
  const runs = pairRuns(delivery.blocks, delivery.counts);
  for await (const [piece, times] of sealTail(keys, outside, delivery.entry, runs, last, links)) {
    for (let at = 0; at < piece.length; at += BLOCK_SIZE) yield [piece.subarray(at, at + BLOCK_SIZE), times];
  }
}

/**
 * Return hashes and counts as a delivery has them.
 * @param {Iterable<Run>} runs
 */
export function joinHashes(runs) {
  /** @type {Bytes[]} */
  const hashes = [];
  /** @type {number[]} */
  const counts = [];
  let last = "";
  for (const [hash, times] of runs) {
    const text = hash.join();
    if (text === last) counts.push((counts.pop() ?? 0) + times);
    else {
      hashes.push(hash);
      counts.push(times);
    }
    last = text;
  }
  return { blocks: joinBytes(hashes), counts: counts.every((times) => times === 1) ? [] : counts };
}
