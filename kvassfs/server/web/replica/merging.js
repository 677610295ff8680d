/** Merging entries of the hub: kvassfs/store/merging.py. */

import { follows } from "../words/conflict.js";
import { haveSameValue } from "../words/entry.js";
import { OutOfRange } from "../words/errors.js";
import { judge } from "../words/verdict.js";
import { isWorthKeeping, keepLoser } from "./history.js";
import { findShown, isFinal } from "./rows.js";
import { install } from "./versions.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Entry } from "../words/entry.js" */
/** @import { Content, Row } from "./rows.js" */
/** @import { Transaction } from "./transaction.js" */

/**
 * An entry that has arrived: its sequence at the hub, and its value, whole or in blocks that may be fetched later.
 * @typedef {{ entry: Entry, sequence: number, value: Bytes | null, content: Content | null }} Arrived
 */

/** By how much a counter that is pulled may be ahead of this replica's clock. */
export const MAX_HUB_LEAP = 2 ** 48;

/**
 * Merge what has arrived; return how many keys changed. What wins over an entry of the hub is pushed.
 * @param {Transaction} transaction
 * @param {readonly Arrived[]} page
 * @param {boolean} isCurrent the hub that it came from is still the one of this replica
 */
export function mergePulled(transaction, page, isCurrent) {
  const furthest = transaction.facts.clock + MAX_HUB_LEAP;
  for (const { entry, sequence } of page) {
    if (Math.max(sequence, entry.counter) > furthest) throw new OutOfRange(entry.key, "counter", sequence);
  }
  return page.reduce((changed, arrived) => changed + Number(mergeOne(transaction, arrived, isCurrent)), 0);
}

/**
 * @param {Transaction} transaction
 * @param {Arrived} arrived
 * @param {boolean} isCurrent
 */
function mergeOne(transaction, arrived, isCurrent) {
  const { entry, sequence } = arrived;
  const { facts } = transaction;
  facts.clock = Math.max(facts.clock, sequence, entry.counter);
  const old = transaction.row(entry.key);
  const verdict = judge(old === null ? null : old.entry, entry, transaction.isSealed);
  if (verdict === "accept" || old === null) {
    acceptEntry(transaction, arrived, old, !isCurrent);
    return true;
  }
  if (verdict === "reject") rejectEntry(transaction, arrived, old);
  else if (!isFinal(old)) transaction.put({ ...old, floor: old.entry.timestamp });
  return false;
}

/**
 * @param {Transaction} transaction
 * @param {Arrived} arrived
 * @param {Row | null} old
 * @param {boolean} isDirty
 */
function acceptEntry(transaction, arrived, old, isDirty) {
  const { entry } = arrived;
  const lives = old !== null && haveSameValue(old.entry, entry);
  const content = lives ? renewSource(old.content, arrived.content) : transaction.keep(arrived.content, arrived.value);
  const sequence = transaction.tick();
  const shown = findShown(old, entry, sequence);
  install(transaction, { entry, content, sequence, shown, isDirty, floor: entry.timestamp }, { lives });
}

/**
 * Return a value that is here, which the hub of a sealed store has in another place by now.
 * @param {Content | null} content
 * @param {Content | null} arrived
 */
function renewSource(content, arrived) {
  if (content === null || arrived === null) return content;
  const { id, blocks, counts } = content;
  return { id, blocks, counts, source: arrived.source };
}

/**
 * Keep a value that loses, once, and see to it that the hub learns of the version that wins.
 * @param {Transaction} transaction
 * @param {Arrived} arrived
 * @param {Row} old
 */
function rejectEntry(transaction, arrived, old) {
  const { entry } = arrived;
  const isOther = !haveSameValue(old.entry, entry);
  if (isOther && isWorthKeeping(transaction, entry, follows(old.entry, entry))) {
    keepLoser(transaction, entry, transaction.keep(arrived.content, arrived.value), old);
  }
  const floor = Math.max(old.floor ?? 0, entry.timestamp); // the hub knows this key
  transaction.put({ ...old, isDirty: true, floor });
}
