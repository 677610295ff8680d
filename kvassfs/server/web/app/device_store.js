/** What can be done with the store of this device, while it is open. */

import { settleKept } from "../replica/history.js";
import { Tree } from "../replica/tree.js";
import { Changes } from "../replica/undo.js";
import { moveVersion, removeVersion, writeVersion } from "../replica/versions.js";
import { ValueMissing } from "../sync/errors.js";
import { checkKey, directoryOf, isDeleted, isFile, parentOf } from "../words/entry.js";
import { InvalidKey } from "../words/errors.js";
import { isEcho, parseRecord } from "../words/share_link.js";
import { DeviceError } from "./device.js";
import { listOpenConflicts, listVersions, makeChildItem, makeItem } from "./items.js";
import { createLink, describeShare, endLink, listLinks } from "./links.js";

/** @import { Replica } from "../replica/replica.js" */
/** @import { Content, Row } from "../replica/rows.js" */
/** @import { StoreKeys, Synchroniser } from "../sync/synchroniser.js" */
/** @import { Entry } from "../words/entry.js" */
/** @import { Report } from "./device.js" */

/** Bytes of the longest text that a search looks through. */
const LONGEST_SEARCHED = 1024 * 1024;

const DIRECTORY_MODE = 0o40700;

/**
 * A store that is open: its replica and keys, what exchanges with the hub, and the address below which the hub shares.
 * @typedef {{ replica: Replica, keys: StoreKeys, synchroniser: () => Synchroniser, hub: string }} Opened
 */

/** What a device does with its store. While that is not open, everything fails. */
export class DeviceStore {
  /** @type {Opened & { tree: Tree, changes: Changes } | null} */
  #opened = null;

  /** @param {Opened} opened */
  openStore(opened) {
    this.#opened = { ...opened, tree: new Tree(opened.replica), changes: new Changes(opened.replica) };
  }

  closeStore() {
    this.#opened = null;
  }

  get #open() {
    if (this.#opened === null) throw new DeviceError("The store is not open here: load the page again.");
    return this.#opened;
  }

  get #replica() {
    return this.#open.replica;
  }

  get #tree() {
    return this.#open.tree;
  }

  get #changes() {
    return this.#open.changes;
  }

  // Finding

  /** @param {string} prefix */
  list(prefix) {
    return this.#tree.list(prefix).map((child) => makeChildItem(this.#replica, child));
  }

  /** @param {number} most */
  listLatest(most) {
    return this.#tree.listLatest(most).map((row) => makeItem(this.#replica, row));
  }

  /** @param {string} key */
  get(key) {
    const row = this.#replica.rows.get(key);
    return row === undefined || isDeleted(row.entry) ? null : makeItem(this.#replica, row);
  }

  /**
   * @param {string} text
   * @param {number} most
   */
  find(text, most) {
    return this.#tree.find(text, most).map((row) => makeItem(this.#replica, row));
  }

  /**
   * @param {string} text
   * @param {number} most
   */
  async *search(text, most) {
    const wanted = text.trim().toLowerCase();
    let left = wanted === "" ? 0 : most;
    for (const row of left === 0 ? [] : this.#tree.listLatest(Infinity)) {
      if (left === 0) return;
      if (row.entry.size > LONGEST_SEARCHED || !this.#replica.isHere(row.content)) continue;
      const found = await decodeLoosely(await this.#collect(row.content));
      if (found === null || !found.toLowerCase().includes(wanted)) continue;
      left -= 1;
      yield makeItem(this.#replica, row);
    }
  }

  /** Return how many files there are. */
  countFiles() {
    return this.#tree.count();
  }

  // Reading

  /**
   * @param {string} key
   * @param {number | null} number
   * @param {Report} report
   */
  async read(key, number, report) {
    const version = this.#findVersion(key, number);
    const { entry, content } = version;
    if (content !== null && !this.#replica.isHere(content)) {
      await this.#open.synchroniser().fetch(entry, content, report);
    }
    report(1);
    return this.#collect(content);
  }

  /**
   * @param {string} key
   * @param {number | null} number
   * @returns {{ entry: Entry, content: Content | null }}
   */
  #findVersion(key, number) {
    const row = this.#replica.rows.get(key);
    const kept = number === null ? undefined : this.#replica.listKept(key).find((each) => each.number === number);
    const found = kept ?? (row !== undefined && isFile(row.entry) ? row : undefined);
    if (found === undefined) throw new DeviceError("It is not there any more: another device may have removed it.");
    return found;
  }

  /** @param {Content | null} content */
  async #collect(content) {
    const pieces = [];
    for await (const piece of this.#replica.readPieces(content)) pieces.push(new Blob([piece])); // which need not be in memory
    return new Blob(pieces);
  }

  // Changing

  /** @param {string} key */
  begin(key) {
    const found = this.#replica.listKept(key).map(({ met }) => met ?? 0); // who sees the version is told of its conflicts
    return String(Math.max(this.#replica.rows.get(key)?.shown ?? 0, ...found));
  }

  /**
   * @param {string} key
   * @param {Blob} value
   * @param {string} begun
   */
  async write(key, value, begun) {
    checkNewKey(key);
    const prepared = await this.#replica.prepare(value);
    const began = Number(begun);
    return this.#changes.make(`${nameInQuotes(key)} saved`, (transaction) => {
      const content = transaction.keep(prepared.content, prepared.value);
      const row = writeVersion(transaction, key, { content, size: prepared.size, began });
      const isConflict = transaction.listKept(key).some(({ met }) => met === row.sequence);
      return { isConflict, begun: String(row.shown) };
    });
  }

  /**
   * @param {string} key
   * @param {Blob} value
   * @param {Report} report
   */
  async add(key, value, report) {
    checkNewKey(key);
    const prepared = await this.#replica.prepare(value, report);
    return this.#changes.make(`${nameInQuotes(key)} added`, (transaction) => {
      const free = findFreeKey(key, (each) => isTaken(transaction.row(each)));
      const content = transaction.keep(prepared.content, prepared.value);
      writeVersion(transaction, free, { content, size: prepared.size });
      return free;
    });
  }

  /** @param {string} prefix */
  async makeDirectory(prefix) {
    const key = prefix.endsWith("/") ? prefix : `${prefix}/`;
    checkNewKey(key);
    if (this.#tree.hasDirectory(key)) throw new DeviceError("There is a folder of this name already.");
    await this.#changes.make(`folder ${nameInQuotes(key)} made`, (transaction) => {
      writeVersion(transaction, key, { content: null, size: 0, mode: DIRECTORY_MODE });
    });
  }

  /**
   * @param {string} from
   * @param {string} to
   */
  async move(from, to) {
    checkNewKey(to);
    if (from === to) return;
    if (from.endsWith("/") !== to.endsWith("/")) throw new DeviceError("A folder's new name must be one of a folder.");
    if (from.endsWith("/") && to.startsWith(from)) throw new DeviceError("A folder cannot be moved into itself.");
    if (this.get(to) !== null || (to.endsWith("/") && this.#tree.hasDirectory(to))) {
      throw new DeviceError(`There is ${nameInQuotes(to)} already: choose another name, or remove that first.`);
    }
    const keys = this.#tree.listBelow(from);
    await this.#changes.make(`${nameInQuotes(from)} moved`, (transaction) => {
      for (const key of keys) moveVersion(transaction, key, to + key.slice(from.length));
    });
  }

  /** @param {string[]} chosen */
  async remove(chosen) {
    const keys = new Set(chosen.flatMap((key) => this.#tree.listBelow(key)));
    const [first] = chosen;
    if (first === undefined) return;
    const what = keys.size === 1 || chosen.length === 1 ? nameInQuotes(first) : `${keys.size} files`;
    await this.#changes.make(`${what} removed`, (transaction) => {
      for (const key of keys) {
        const row = transaction.row(key);
        if (row !== null && !isDeleted(row.entry)) removeVersion(transaction, key);
      }
    });
  }

  undoable() {
    const { last } = this.#changes;
    return last === null ? null : { description: last.description };
  }

  async undo() {
    const [key] = await this.#changes.undo();
    if (key === undefined) throw new DeviceError("There is nothing to undo: it has changed since.");
    return key;
  }

  // Versions

  /** @param {string} key */
  listRevisions(key) {
    return listVersions(this.#replica, key);
  }

  /**
   * @param {string} key
   * @param {number} number
   */
  async restore(key, number) {
    const version = this.#findVersion(key, number);
    const { entry, content } = version;
    if (content !== null && !this.#replica.isHere(content)) throw new ValueMissing();
    const value = content === null ? null : await this.#replica.readWhole(content);
    if (content !== null && content.id !== null && value === null) throw new DeviceError("This version is not kept any longer.");
    await this.#changes.make(`${nameInQuotes(key)} restored`, (transaction) => {
      const { size, mode, urlToken } = entry;
      writeVersion(transaction, key, { content: transaction.keep(content, value), size, mode, urlToken });
    });
  }

  /** @param {number} most */
  listRemoved(most) {
    const found = [];
    for (const [key, list] of this.#replica.kept) {
      const row = this.#replica.rows.get(key);
      const last = list.findLast((kept) => kept.became !== "lost");
      if (row === undefined || last === undefined || !isDeleted(row.entry)) continue;
      const gone = { ...row, entry: { ...last.entry, timestamp: row.entry.timestamp }, content: last.content };
      found.push(makeItem(this.#replica, gone));
    }
    return found.sort((one, other) => other.changed - one.changed).slice(0, most);
  }

  listConflicts() {
    return listOpenConflicts(this.#replica);
  }

  /** @param {string} key */
  async settle(key) {
    await this.#replica.change((transaction) => settleKept(transaction, key, () => true));
  }

  // Sharing

  /** @param {string} key */
  async listShares(key) {
    const { replica, keys, hub } = this.#open;
    const links = await listLinks(replica, keys, key);
    return Promise.all(links.map(({ key: target, link }) => describeShare(keys, hub, target, link)));
  }

  /**
   * @param {string} key
   * @param {number | null} expires
   * @param {boolean} once
   */
  async share(key, expires, once) {
    const { replica, keys, hub } = this.#open;
    this.#findVersion(key, null);
    const link = await createLink(replica, keys, key, { expires: Math.round((expires ?? 0) * 1000), once });
    return describeShare(keys, hub, key, link);
  }

  /** @param {string} token */
  async endShare(token) {
    await endLink(this.#replica, token);
  }
}

/** @param {string} key */
function checkNewKey(key) {
  if (parseRecord(key) !== null || isEcho(key)) throw new InvalidKey(key, "other things travel under such keys");
  return checkKey(key);
}

/** @param {Row | null} row */
function isTaken(row) {
  return row !== null && !isDeleted(row.entry);
}

/**
 * Return a key, with a number before its ending if it is taken.
 * @param {string} key
 * @param {(key: string) => boolean} isUsed
 */
function findFreeKey(key, isUsed) {
  if (!isUsed(key)) return key;
  const directory = directoryOf(key);
  const [, stem = "", ending = ""] = /^(.+?)(\.[^.]*)?$/su.exec(key.slice(directory.length)) ?? [];
  for (let number = 2; ; number += 1) {
    const other = `${directory}${stem} (${number})${ending}`;
    if (!isUsed(other)) return other;
  }
}

/** @param {string} key */
function nameInQuotes(key) {
  const name = key.endsWith("/") ? key.slice(parentOf(key).length, -1) : key.slice(directoryOf(key).length);
  return `“${name}”`;
}

/**
 * Return the text that a value is, `null` if it is none.
 * @param {Blob} value
 */
async function decodeLoosely(value) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await value.arrayBuffer());
  } catch {
    return null;
  }
}
