/** The one way in which keys change here: kvassfs/store/entries.py, kvassfs/store/versions.py. */

import { findOrigin, formatOrigin, noteSeen } from "../words/conflict.js";
import { DEFAULT_MODE, isDeleted, isDirectory, makeToken, nextTimestamp } from "../words/entry.js";
import { findSeen, retire, settleSeen } from "./history.js";
import { findShown } from "./rows.js";

/** @import { Entry } from "../words/entry.js" */
/** @import { Content, Row } from "./rows.js" */
/** @import { Transaction } from "./transaction.js" */

/**
 * What is written to a key. Without `mode` it keeps the one that it has, without `urlToken` it gets a new one. `began` is this replica's
 * clock when the writer began, `null` = just now.
 * @typedef {{
 *   content: Content | null, size: number, mode?: number | null, modTime?: bigint | null, urlToken?: string, began?: number | null,
 * }} Written
 */

/**
 * Make a version the current one of its key; the one before is kept, unless its value `lives` on in this one or under another key.
 * @param {Transaction} transaction
 * @param {Row} row
 * @param {{ lives: boolean }} old
 */
export function install(transaction, row, { lives }) {
  const old = transaction.row(row.entry.key);
  if (old !== null && !lives) retire(transaction, old, row);
  settleSeen(transaction, row.entry);
  transaction.put(row);
}

/**
 * Give a key a new version, and return it.
 * @param {Transaction} transaction
 * @param {string} key
 * @param {Written} written
 */
export function writeVersion(transaction, key, written) {
  const { content, size, modTime = null, urlToken = makeToken(transaction.random), began = null } = written;
  const old = transaction.row(key);
  const mode = written.mode ?? inheritMode(old, size);
  const entry = { ...stampVersion(transaction, key, old, transaction.dated), urlToken, size, mode, modTime };
  const seen = findSeen(transaction, key, old, began);
  const row = makeRow({ ...entry, seen, origin: null }, content, old);
  install(transaction, row, { lives: false });
  return row;
}

/**
 * A file keeps the mode that it has; one without a mode and of no bytes would be deleted.
 * @param {Row | null} old
 * @param {number} size
 */
function inheritMode(old, size) {
  const inherited = old === null || isDirectory(old.entry) ? null : old.entry.mode;
  return inherited ?? (size === 0 ? DEFAULT_MODE : null);
}

/**
 * Put a tombstone in the place of a version. Its value is kept, unless it `lives` on under another key.
 * @param {Transaction} transaction
 * @param {string} key
 * @param {{ lives?: boolean, token?: string }} [options]
 */
export function removeVersion(transaction, key, { lives = false, token = makeToken(transaction.random) } = {}) {
  const old = transaction.row(key);
  const stamped = stampVersion(transaction, key, old, transaction.dated);
  const seen = findSeen(transaction, key, old, null);
  const entry = { ...stamped, urlToken: token, size: 0, mode: null, modTime: null, seen, origin: null };
  install(transaction, makeRow(entry, null, old), { lives });
}

/**
 * Change other things than the value of a live key: its token, mode or time.
 * @param {Transaction} transaction
 * @param {Row} row
 * @param {Partial<Pick<Entry, "urlToken" | "mode" | "modTime">>} changed
 */
export function varyVersion(transaction, row, changed) {
  const { processId } = transaction.facts;
  const entry = {
    ...row.entry,
    ...changed,
    ...stampVersion(transaction, row.entry.key, row, 0),
    seen: noteSeen(processId, row.entry),
    origin: formatOrigin(findOrigin(row.entry)),
  };
  install(transaction, makeRow(entry, row.content, row), { lives: true });
}

/**
 * Give a file another key, where there is nothing.
 * @param {Transaction} transaction
 * @param {string} from
 * @param {string} to
 */
export function moveVersion(transaction, from, to) {
  const row = transaction.row(from);
  if (row === null || isDeleted(row.entry)) return;
  const { size, mode, modTime, urlToken } = row.entry;
  writeVersion(transaction, to, { content: row.content, size, mode, modTime, urlToken });
  removeVersion(transaction, from, { lives: true });
}

/**
 * @param {Transaction} transaction
 * @param {string} key
 * @param {Row | null} old
 * @param {number} dated µs, 0 where it is to be dated as its predecessor
 */
function stampVersion(transaction, key, old, dated) {
  const counter = transaction.tick();
  transaction.facts.wrote = counter;
  const timestamp = nextTimestamp(dated, old === null ? null : old.entry.timestamp);
  return { key, timestamp, counter, processId: transaction.facts.processId };
}

/**
 * @param {Entry} entry
 * @param {Content | null} content
 * @param {Row | null} old
 * @returns {Row}
 */
function makeRow(entry, content, old) {
  const sequence = entry.counter;
  const shown = findShown(old, entry, sequence);
  return { entry, content, sequence, shown, isDirty: true, floor: old === null ? null : old.floor };
}
