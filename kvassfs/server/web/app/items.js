/** What the views show of the rows of a replica. */

import { isDirectory, isSymlink } from "../words/entry.js";
import { nextNumber, sortKept } from "../replica/history.js";

/** @import { Replica } from "../replica/replica.js" */
/** @import { Row } from "../replica/rows.js" */
/** @import { Child } from "../replica/tree.js" */
/** @import { Conflict, Item, Revision } from "./device.js" */

/**
 * @param {Replica} replica
 * @param {Row} row
 * @param {string} [name]
 * @returns {Item}
 */
export function makeItem(replica, row, name = nameKey(row.entry.key)) {
  const { entry, content, isDirty } = row;
  return {
    key: entry.key,
    name,
    kind: isDirectory(entry) ? "directory" : isSymlink(entry) ? "symlink" : "file",
    size: entry.size,
    changed: entry.modTime === null ? entry.timestamp / 1000 : Number(entry.modTime / 1_000_000n),
    device: nameDevice(replica, entry.processId),
    isUnsent: isDirty,
    isHere: replica.isHere(content),
    isInConflict: replica.listKept(entry.key).some(({ met }) => met !== null),
    mode: entry.mode,
  };
}

/**
 * @param {Replica} replica
 * @param {Child} child
 * @returns {Item}
 */
export function makeChildItem(replica, { key, name, row, isDirectory: isOne, changed }) {
  if (row !== null && !isOne) return makeItem(replica, row, name);
  return {
    ...{ key, name, kind: "directory", size: 0, changed: changed / 1000, device: "", mode: row?.entry.mode ?? null },
    ...{ isUnsent: row?.isDirty ?? false, isHere: true, isInConflict: false },
  };
}

/**
 * Return the last part of a key, without the `/` of a directory.
 * @param {string} key
 */
function nameKey(key) {
  const whole = key.endsWith("/") ? key.slice(0, -1) : key;
  return whole.slice(whole.lastIndexOf("/") + 1) || "%";
}

/**
 * Return what a device is called, "" if nobody has told.
 * @param {Replica} replica
 * @param {number} processId
 */
export function nameDevice({ facts }, processId) {
  return processId === facts.processId ? facts.name : facts.names[processId] ?? "";
}

/**
 * Return the versions of a key that are kept, the current one first.
 * @param {Replica} replica
 * @param {string} key
 * @returns {Revision[]}
 */
export function listVersions(replica, key) {
  const row = replica.rows.get(key);
  const list = replica.listKept(key);
  const earlier = sortKept(list).map((kept) => /** @type {Revision} */ ({
    number: kept.number,
    when: kept.entry.timestamp / 1000,
    size: kept.entry.size,
    became: kept.became,
    device: nameDevice(replica, kept.entry.processId),
    isHere: replica.isHere(kept.content),
    isInConflict: kept.met !== null,
  }));
  if (row === undefined || (row.entry.size === 0 && row.entry.mode === null)) return earlier;
  const { key: _, kind: __, ...shown } = makeItem(replica, row);
  return [{ ...shown, number: nextNumber(list), when: row.entry.timestamp / 1000, became: "current" }, ...earlier];
}

/**
 * Return the conflicts that nobody has settled.
 * @param {Replica} replica
 * @returns {Conflict[]}
 */
export function listOpenConflicts(replica) {
  return [...replica.kept].flatMap(([key, list]) =>
    list.flatMap(({ number, entry, winner, met }) => {
      if (met === null || winner === null) return [];
      const describe = (/** @type {number} */ processId) => nameDevice(replica, processId) || String(processId);
      return [{ key, number, loser: describe(entry.processId), winner: describe(winner) }];
    }),
  );
}
