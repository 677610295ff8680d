/** Earlier versions of a key, and conflicts: kvassfs/store/revisions.py, kvassfs/store/conflicts.py. */

import { findOrigin, hasSeen, isConflict, noteSeen } from "../words/conflict.js";
import { compareOrder, haveSameValue, isFile } from "../words/entry.js";
import { parseRecord } from "../words/share_link.js";
import { areSameContents } from "./rows.js";

/** @import { Entry } from "../words/entry.js" */
/** @import { Became, Content, Kept, Row } from "./rows.js" */
/** @import { Transaction } from "./transaction.js" */

/**
 * Keep a version that is not the current one any more; an empty one holds nothing to keep, unless it is in a conflict.
 * @param {Transaction} transaction
 * @param {Row} old
 * @param {Row} row
 */
export function retire(transaction, old, row) {
  const winner = findWinner(row, old.entry, old.content);
  if (old.content === null && winner === null) return;
  const became = isFile(row.entry) ? "replaced" : "removed";
  keepVersion(transaction, old.entry, old.content, old.sequence, became, winner, row.sequence);
}

/**
 * Keep a version that has arrived and lost to the current one, once.
 * @param {Transaction} transaction
 * @param {Entry} entry
 * @param {Content | null} content
 * @param {Row} row
 */
export function keepLoser(transaction, entry, content, row) {
  const winner = findWinner(row, entry, content);
  const clock = winner === null ? transaction.facts.clock : transaction.tick();
  if (content === null && winner === null) return;
  keepVersion(transaction, entry, content, clock, "lost", winner, clock);
}

/**
 * @param {Transaction} transaction
 * @param {Entry} entry
 * @param {Content | null} content
 * @param {number} sequence
 * @param {Became} became
 * @param {number | null} winner
 * @param {number} clock
 */
function keepVersion(transaction, entry, content, sequence, became, winner, clock) {
  const list = transaction.listKept(entry.key);
  const number = nextNumber(list);
  const met = winner === null ? null : clock;
  const all = [...list, { entry, content, replaced: transaction.now, number, sequence, became, winner, met }];
  transaction.kept.set(entry.key, number > transaction.sizes.revisions ? forgetBeyond(transaction, all) : all);
}

/**
 * Return the number that the current version of a key has, and keeps.
 * @param {readonly Kept[]} list
 */
export function nextNumber(list) {
  return (list.at(-1)?.number ?? 0) + 1;
}

/**
 * @param {Transaction} transaction
 * @param {Kept[]} list
 */
function forgetBeyond(transaction, list) {
  const newest = new Set(sortKept(list).slice(0, transaction.sizes.revisions));
  for (const kept of list) if (!newest.has(kept)) transaction.drop(kept.content);
  return list.filter((kept) => newest.has(kept));
}

/**
 * Return earlier versions by their own time, the newest first.
 * @param {readonly Kept[]} list
 */
export function sortKept(list) {
  return list.toReversed().sort((one, other) => compareOrder(other.entry, one.entry));
}

/**
 * Let go of what has been kept of a key for longer than the time for that.
 * @param {Transaction} transaction
 * @param {string} key
 */
export function expireKept(transaction, key) {
  const before = transaction.now - transaction.sizes.keptTime;
  const list = transaction.listKept(key);
  const left = list.filter((kept) => kept.replaced >= before);
  if (left.length === list.length) return;
  for (const kept of list) if (kept.replaced < before) transaction.drop(kept.content);
  transaction.kept.set(key, left);
}

/**
 * Return true if a version that arrives and loses is one that is to be kept: not the value of another one that is, nor older than
 * what has been let go.
 * @param {Transaction} transaction
 * @param {Entry} entry
 * @param {boolean} isFollowed the writer of the current version knew it
 */
export function isWorthKeeping(transaction, entry, isFollowed) {
  const list = transaction.listKept(entry.key);
  if (list.some((kept) => haveSameValue(kept.entry, entry))) return false;
  if (isFollowed && wasLetGo(transaction, entry, list)) return false;
  const newer = list.filter((kept) => compareOrder(kept.entry, entry) > 0).length;
  return newer < transaction.sizes.revisions;
}

/**
 * @param {Transaction} transaction
 * @param {Entry} entry
 * @param {readonly Kept[]} list
 */
function wasLetGo(transaction, entry, list) {
  if (entry.timestamp < transaction.now - transaction.sizes.keptTime) return true;
  const oldest = Math.min(...list.map((kept) => kept.entry.timestamp));
  const last = Math.max(...list.map((kept) => kept.number));
  return list.length > 0 && list.length < last && entry.timestamp < oldest;
}

/**
 * Return the process id of the winner of a conflict, `null` if there is none.
 * @param {Row} winner
 * @param {Entry} loser
 * @param {Content | null} content
 */
function findWinner(winner, loser, content) {
  if (!isConflict(winner.entry, loser)) return null;
  if (isFile(winner.entry) && areSameContents(winner.content, content)) return null;
  return winner.entry.processId;
}

/**
 * Settle the conflicts of a key whose losing versions the writer of its new version has seen, or taken up.
 * @param {Transaction} transaction
 * @param {Entry} entry
 */
export function settleSeen(transaction, entry) {
  if (entry.origin !== null || entry.seen === null) return;
  settleKept(transaction, entry.key, (kept) => hasSeen(entry, kept.entry) || haveSameValue(entry, kept.entry));
}

/**
 * Settle the conflicts of a key that are chosen.
 * @param {Transaction} transaction
 * @param {string} key
 * @param {(kept: Kept) => boolean} choose
 */
export function settleKept(transaction, key, choose) {
  const list = transaction.listKept(key);
  if (!list.some((kept) => kept.met !== null && choose(kept))) return;
  const settled = list.map((kept) => (kept.met !== null && choose(kept) ? { ...kept, met: null } : kept));
  transaction.kept.set(key, settled);
}

/**
 * Return what the writer of a new version of a key has seen of it, who began when the clock said `began` (`null` = just now).
 * @param {Transaction} transaction
 * @param {string} key
 * @param {Row | null} old
 * @param {number | null} began
 */
export function findSeen(transaction, key, old, began) {
  if (parseRecord(key) !== null) return null;
  if (old === null) return "";
  const list = transaction.listKept(key);
  const base = began === null || old.shown <= began ? old.entry : findAt(list, began);
  const others = list
    .filter((kept) => kept.met !== null && (began === null || kept.met <= began))
    .map((kept) => findOrigin(kept.entry))
    .reverse();
  return noteSeen(transaction.facts.processId, base, others);
}

/**
 * @param {readonly Kept[]} list
 * @param {number} clock
 */
function findAt(list, clock) {
  return list.findLast((kept) => kept.sequence <= clock && kept.became !== "lost")?.entry ?? null;
}
