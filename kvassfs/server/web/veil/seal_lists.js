/** The lists of the blocks of a large value, made by a device: kvassfs/veil/lists.py. */

import { areEqual, joinBytes } from "../words/bytes.js";
import { packNumber } from "./keys.js";
import { LISTED } from "./layout.js";
import { refer } from "./seal_block.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { VeilKeys } from "./keys.js" */
/** @import { ListRun } from "./lists.js" */

/**
 * Something, the hash of a block or a list or piece, and how often it comes one after another.
 * @typedef {[data: Bytes, times: number]} Run
 */

/**
 * Yield the lists of a value whose blocks have the hashes of these runs. All but the last one are full.
 * @param {VeilKeys} keys
 * @param {Iterable<Run>} runs
 * @returns {AsyncGenerator<Run, void, void>}
 */
export async function* makeLists(keys, runs) {
  /** @type {Run | null} */
  let last = null;
  for await (const [list, times] of fillLists(keys, runs)) {
    if (last !== null && areEqual(last[0], list)) {
      last[1] += times;
      continue;
    }
    if (last !== null) yield last;
    last = [list, times];
  }
  if (last !== null) yield last;
}

/**
 * @param {VeilKeys} keys
 * @param {Iterable<Run>} runs
 * @returns {AsyncGenerator<Run, void, void>}
 */
async function* fillLists(keys, runs) {
  /** @type {Bytes[]} */
  let filled = [];
  for (const [hash, times] of runs) {
    const reference = await makeReference(keys, hash);
    for (let left = times; left > 0; ) {
      const full = filled.length === 0 ? Math.floor(left / LISTED) : 0;
      const taken = Math.min(left, LISTED - filled.length);
      for (let count = 0; count < taken; count += 1) filled.push(reference);
      left -= full > 0 ? full * LISTED : taken;
      if (filled.length < LISTED) continue;
      yield [joinBytes(filled), Math.max(full, 1)];
      filled = [];
    }
  }
  if (filled.length > 0) yield [joinBytes(filled), 1];
}

/**
 * @param {VeilKeys} keys
 * @param {Bytes} hash
 */
async function makeReference(keys, hash) {
  const { key } = await refer(keys, hash);
  return joinBytes([hash, key]);
}

/**
 * Return the lists of a value as they stand in its head.
 * @param {ListRun[]} runs
 */
export function packRuns(runs) {
  return joinBytes(runs.flatMap(({ reference, times }) => [packNumber(times), reference.hash, reference.key]));
}
