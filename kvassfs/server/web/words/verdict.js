/** Which of two versions of a key wins: kvassfs/verdict.py. */

import { compareOrder, compareRank, isSameWrite, isWhole } from "./entry.js";
import { parseRecord } from "./share_link.js";

/** @import { Entry } from "./entry.js" */

/** @typedef {"accept" | "reject" | "same"} Verdict */

/**
 * Decide what becomes of an entry that the hub has delivered, where `current` is the version of its key here. Of a `sealed` store
 * the end of a link is final, and nothing is pushed against its record.
 * @param {Entry | null} current
 * @param {Entry} delivered
 * @param {boolean} sealed
 * @returns {Verdict}
 */
export function judge(current, delivered, sealed) {
  if (current === null) return "accept";
  const ended = sealed ? hasEnded(current) : null;
  if (ended !== null && ended !== hasEnded(delivered)) return ended ? "same" : "accept";
  const order = compareOrder(delivered, current);
  if (order === 0 && isWhole(delivered)) return decideBy(compareRank(delivered, current));
  if (isSameWrite(delivered, current)) return "same";
  return decideBy(order || compareRank(delivered, current));
}

/**
 * Return whether the share link has ended that an entry is the record of; `null` if it is none.
 * @param {Entry} entry
 */
function hasEnded(entry) {
  const link = parseRecord(entry.key);
  return link === null ? null : link.token !== entry.urlToken;
}

/**
 * @param {number} comparison
 * @returns {Verdict}
 */
function decideBy(comparison) {
  if (comparison === 0) return "same";
  return comparison > 0 ? "accept" : "reject";
}
