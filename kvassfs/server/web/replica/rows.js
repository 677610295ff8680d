/** What this replica keeps of each key: the current version, and earlier ones. Nothing here is changed once it is made. */

import { areEqual } from "../words/bytes.js";
import { pairRuns } from "../words/block.js";
import { haveSameValue, isFile } from "../words/entry.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Entry } from "../words/entry.js" */

/**
 * Where a large value of a sealed store is at the hub: what it is called there, and the blocks that it has there.
 * @typedef {{ size: number, blocks: Bytes, counts: readonly number[] }} Source
 */

/**
 * A value: whole under the number `id`, or in blocks, which may not be here. `blocks` are the hashes of its blocks in either case, each
 * as often as `counts` says.
 * @typedef {{ id: number | null, blocks: Bytes, counts: readonly number[], source: Source | null }} Content
 */

/**
 * The current version of a key. `sequence` is this replica's clock when it got it, and `shown` when the file was last seen to change.
 * `isDirty`: the hub has not acknowledged it. `floor` is the newest timestamp of the key that others know, `null` if they know none.
 * @typedef {{ entry: Entry, content: Content | null, sequence: number, shown: number, isDirty: boolean, floor: number | null }} Row
 */

/** @typedef {"replaced" | "removed" | "lost"} Became */

/**
 * An earlier version of a key. `number` names it; `replaced` is when it was replaced here (µs). `winner` is the process id whose version it
 * lost to without having been seen; `met` this replica's clock when that was found, until it is settled.
 * @typedef {{
 *   entry: Entry, content: Content | null, replaced: number, number: number, sequence: number, became: Became,
 *   winner: number | null, met: number | null,
 * }} Kept
 */

/**
 * What is known of the hub. `told` is the greatest clock that its `incarnation` told; `reached` when the last exchange succeeded (µs).
 * `epoch` is another one when it has turned out to be another hub.
 * @typedef {{ processId: number, reached: number, epoch: number, incarnation: number, told: number }} HubState
 */

/**
 * What this replica is: its process id and Lamport clock, the counter of what it wrote last, how far the hub was pulled, and what devices are called.
 * `refused` is what the hub of a sealed store has and none of its devices made, by its name there, and why.
 * @typedef {{
 *   processId: number, clock: number, wrote: number, cursor: number, hub: HubState, names: Record<string, string>, name: string, nextValue: number,
 *   refused: Record<string, string>,
 * }} Facts
 */

/**
 * Return true if another device knows this version, so that its timestamp never changes.
 * @param {Row} row
 */
export function isFinal(row) {
  return row.floor !== null && row.floor >= row.entry.timestamp;
}

/**
 * Return the sequence with which a file was last seen to change, where a version with `sequence` follows `old`: one with another token,
 * time or counter alone looks the same.
 * @param {Row | null} old
 * @param {Entry} entry
 * @param {number} sequence
 */
export function findShown(old, entry, sequence) {
  if (old !== null && old.entry.mode === entry.mode && haveSameValue(old.entry, entry)) return old.shown;
  return isFile(entry) || (old !== null && isFile(old.entry)) ? sequence : old?.shown ?? 0;
}

/**
 * Return true if two values are the same.
 * @param {Content | null} one
 * @param {Content | null} other
 */
export function areSameContents(one, other) {
  if (one === null || other === null) return one === other;
  if (one.counts.length === 0 && other.counts.length === 0) return areEqual(one.blocks, other.blocks);
  const runs = iterateHashes(one);
  for (const hash of iterateHashes(other)) {
    const next = runs.next();
    if (next.done || !areEqual(next.value, hash)) return false;
  }
  return runs.next().done === true;
}

/** @param {Content} content */
function* iterateHashes({ blocks, counts }) {
  for (const [hash, times] of pairRuns(blocks, counts)) for (let left = times; left > 0; left -= 1) yield hash;
}

/** @param {number} processId */
export function makeFacts(processId) {
  return /** @type {Facts} */ ({
    processId,
    clock: 0,
    wrote: 0,
    cursor: 0,
    hub: { processId: 0, reached: 0, epoch: 1, incarnation: 0, told: 0 },
    names: {},
    name: "",
    nextValue: 1,
    refused: {},
  });
}
