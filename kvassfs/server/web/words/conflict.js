/** Conflicts: two versions of a key of which neither writer had seen the other's: kvassfs/conflict.py. */

import { haveSameValue, isFile } from "./entry.js";

/** @import { Entry } from "./entry.js" */

/**
 * What names a version among those of one key: its writer and its counter.
 * @typedef {{ processId: number, counter: number }} Origin
 */

/** Versions that an entry names at most as seen by its writer. */
export const MOST_SEEN = 8;

/**
 * Return the versions that a writer had seen.
 * @param {string | null} text
 * @returns {Origin[]}
 */
export function parseSeen(text) {
  return text ? text.split(" ").map(parseOrigin) : [];
}

/**
 * @param {string} text
 * @returns {Origin}
 */
export function parseOrigin(text) {
  const [processId, counter] = text.split(":");
  return { processId: Number(processId), counter: Number(counter) };
}

/** @param {Origin} origin */
export function formatOrigin({ processId, counter }) {
  return `${processId}:${counter}`;
}

/**
 * Return the version that wrote the value of an entry.
 * @param {Entry} entry
 * @returns {Origin}
 */
export function findOrigin(entry) {
  return entry.origin === null ? { processId: entry.processId, counter: entry.counter } : parseOrigin(entry.origin);
}

/**
 * Return what the writer `processId` has seen when it begins with the version `base`: what its writer had seen, that version,
 * and `others`, which lost and of which the person was told.
 * @param {number} processId
 * @param {Entry | null} base
 * @param {Origin[]} [others]
 */
export function noteSeen(processId, base, others = []) {
  const own = base === null ? [] : [{ processId: base.processId, counter: base.counter }];
  /** @type {Map<number, Origin>} */
  const found = new Map();
  for (const origin of [...own, ...others, ...parseSeen(base === null ? null : base.seen)]) {
    const before = found.get(origin.processId);
    if (origin.processId === processId) continue;
    if (before === undefined || before.counter < origin.counter) found.set(origin.processId, origin);
  }
  return [...found.values()].slice(0, MOST_SEEN).map(formatOrigin).join(" ");
}

/**
 * Return true if whoever wrote `entry` knew the value of `version`, as far as the entry tells.
 * @param {Entry} entry
 * @param {Entry} version
 */
export function hasSeen(entry, version) {
  const origin = findOrigin(version);
  return entry.seen === null || entry.processId === origin.processId || names(entry, origin);
}

/**
 * Return true if it is known that whoever wrote `entry` had `version` of the key before, or a later one of its writer.
 * @param {Entry} entry
 * @param {Entry} version
 */
export function follows(entry, version) {
  if (entry.processId === version.processId) return version.counter < entry.counter;
  return names(entry, version);
}

/**
 * @param {Entry} entry
 * @param {Origin} origin
 */
function names(entry, origin) {
  return parseSeen(entry.seen).some((seen) => seen.processId === origin.processId && seen.counter >= origin.counter);
}

/**
 * Return true if a version that loses to `winner` has a value of which nobody decided that it goes.
 * @param {Entry} winner
 * @param {Entry} loser
 */
export function isConflict(winner, loser) {
  const isOther =
    isFile(loser) &&
    !haveSameValue(winner, loser) &&
    formatOrigin(findOrigin(winner)) !== formatOrigin(findOrigin(loser));
  return isOther && !hasSeen(winner, loser);
}
