/** Sealed values, made by a device: kvassfs/veil/values.py. */

import { BLOCK_SIZE } from "../words/block.js";
import { hashBytes, joinBytes } from "../words/bytes.js";
import { KvassError } from "../words/errors.js";
import { packNumber } from "./keys.js";
import { INLINE_LIMIT, LARGEST_SEALED_SIZE, layOut } from "./layout.js";
import { applyStream, refer, sealBlock, sealLast } from "./seal_block.js";
import { sealHead } from "./seal_head.js";
import { makeLists, packRuns } from "./seal_lists.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Entry } from "../words/entry.js" */
/** @import { ShareLink } from "../words/share_link.js" */
/** @import { Outside, VeilKeys } from "./keys.js" */
/** @import { ListRun } from "./lists.js" */
/** @import { Run } from "./seal_lists.js" */

/**
 * Return the sealed value of a version that has its value at hand. `outside` is what `hideVersion` makes of `entry`.
 * @param {VeilKeys} keys
 * @param {Outside} outside
 * @param {Entry} entry
 * @param {Bytes} value
 * @param {ShareLink[]} links
 */
export async function sealValue(keys, outside, entry, value, links) {
  if (value.length !== entry.size) throw new KvassError("A value has another size than its version says.");
  if (value.length <= INLINE_LIMIT) return closeHead(await sealHead(keys, outside, entry, value, links));
  const pieces = [];
  /** @type {Run[]} */
  const runs = [];
  for (let start = 0; start < value.length; start += BLOCK_SIZE) {
    const block = value.subarray(start, start + BLOCK_SIZE);
    const hash = await hashBytes(block);
    runs.push([hash, 1]);
    if (block.length === BLOCK_SIZE) pieces.push(await sealBlock(keys, block, hash));
  }
  const last = value.subarray(value.length - (value.length % BLOCK_SIZE));
  for await (const [piece, times] of sealTail(keys, outside, entry, runs, last, links)) {
    for (let left = times; left > 0; left -= 1) pieces.push(piece);
  }
  return joinBytes(pieces);
}

/**
 * Yield what follows the full blocks of a large value: full lists, each with how often it comes, and the rest. `runs` has all blocks, `last`
 * is the last one if that is not full. Throws KvassError if the value is larger than any that can be sealed.
 * @param {VeilKeys} keys
 * @param {Outside} outside
 * @param {Entry} entry
 * @param {Iterable<Run>} runs
 * @param {Bytes} last
 * @param {ShareLink[]} links
 * @returns {AsyncGenerator<Run, void, void>}
 */
export async function* sealTail(keys, outside, entry, runs, last, links) {
  if (entry.size > LARGEST_SEALED_SIZE) throw new KvassError("The value is too large for a sealed store.");
  /** @type {ListRun[]} */
  const found = [];
  const rest = last.length === 0 ? [] : [await sealLast(keys, last, layOut(entry.size).padded)];
  for await (const [list, times] of makeLists(keys, runs)) {
    const reference = await refer(keys, await hashBytes(list));
    const sealed = await applyStream(reference, list);
    found.push({ reference, times });
    if (list.length === BLOCK_SIZE) yield [sealed, times];
    else rest.push(sealed);
  }
  rest.push(closeHead(await sealHead(keys, outside, entry, packRuns(found), links)));
  yield [joinBytes(rest), 1];
}

/**
 * Return a head with its length behind it.
 * @param {Bytes} head
 */
function closeHead(head) {
  return joinBytes([head, packNumber(head.length)]);
}
