/** What is to be pushed: kvassfs/store/outbox.py. */

import { compareOrder, stampAnew } from "../words/entry.js";
import { isFinal } from "./rows.js";

/** @import { Row } from "./rows.js" */
/** @import { Transaction } from "./transaction.js" */

/**
 * Make versions final that are about to be sent, and return them as they are to be sent, without those that were replaced
 * meanwhile. What was written here with a clock ahead of the hub's is stamped anew first.
 * @param {Transaction} transaction
 * @param {readonly Row[]} rows
 * @param {{ difference: number, now: number } | null} hubTime what the hub's clock differs by (µs), and shows; `null` if that is not known
 */
export function finalise(transaction, rows, hubTime) {
  const found = [];
  for (const row of rows) {
    const current = transaction.row(row.entry.key);
    if (current === null || !isSameVersion(current, row)) continue;
    const final = isFinal(current) ? current : finaliseOne(transaction, current, hubTime);
    if (final !== current) transaction.put(final);
    found.push(final);
  }
  return found;
}

/**
 * @param {Transaction} transaction
 * @param {Row} row
 * @param {{ difference: number, now: number } | null} hubTime
 * @returns {Row}
 */
function finaliseOne(transaction, row, hubTime) {
  const { entry, floor } = row;
  const isOurs = hubTime !== null && entry.processId === transaction.facts.processId;
  const timestamp = isOurs ? stampAnew(entry.timestamp, hubTime.difference, hubTime.now, floor) : entry.timestamp;
  return { ...row, entry: { ...entry, timestamp }, floor: timestamp };
}

/**
 * Note that the hub has these versions; those that were replaced meanwhile still wait.
 * @param {Transaction} transaction
 * @param {readonly Row[]} rows
 */
export function acknowledge(transaction, rows) {
  for (const row of rows) {
    const current = transaction.row(row.entry.key);
    if (current !== null && isSameVersion(current, row)) transaction.put({ ...current, isDirty: false });
  }
}

/**
 * Take the hub for one that is new: it has nothing of this replica, and everything of it is to be pulled.
 * @param {Transaction} transaction
 */
export function forgetHub(transaction) {
  const { facts } = transaction;
  facts.hub = { processId: 0, reached: 0, epoch: facts.hub.epoch + 1, incarnation: 0, told: 0 };
  facts.cursor = 0;
  for (const row of [...transaction.allRows()]) if (!row.isDirty) transaction.put({ ...row, isDirty: true });
}

/**
 * @param {Row} one
 * @param {Row} other
 */
function isSameVersion(one, other) {
  return compareOrder(one.entry, other.entry) === 0;
}
