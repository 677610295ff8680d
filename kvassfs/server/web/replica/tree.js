/** The keys of a replica as a tree of directories, and what is found among them. */

import { isDeleted, isDirectory, isFile } from "../words/entry.js";
import { RESERVED } from "../words/share_link.js";

/** @import { Replica } from "./replica.js" */
/** @import { Row } from "./rows.js" */

/**
 * A name in a directory: a file with its row, or a directory, which has one if it is an entry of its own. `changed` is the newest
 * timestamp of it and all below (µs).
 * @typedef {{ key: string, name: string, row: Row | null, isDirectory: boolean, changed: number }} Child
 */

const collator = new Intl.Collator(undefined, { numeric: true });

/** The tree of a replica; what was listed is remembered until something changes. */
export class Tree {
  /** @type {Map<string, Child[]>} */
  #listed = new Map();
  /** @type {number | null} */
  #count = null;
  #version = -1;
  #replica;

  /** @param {Replica} replica */
  constructor(replica) {
    this.#replica = replica;
  }

  /**
   * Return what is in a directory ("" is the root), directories first, by name.
   * @param {string} prefix
   */
  list(prefix) {
    this.#forgetOld();
    const listed = this.#listed.get(prefix) ?? this.#list(prefix);
    this.#listed.set(prefix, listed);
    return listed;
  }

  /** Forget what was found before the last change. */
  #forgetOld() {
    if (this.#version === this.#replica.version) return;
    this.#listed.clear();
    this.#count = null;
    this.#version = this.#replica.version;
  }

  /** @param {string} prefix */
  #list(prefix) {
    /** @type {Map<string, Child>} */
    const directories = new Map();
    const files = [];
    for (const row of this.liveRows()) {
      const { key, timestamp } = row.entry;
      if (!key.startsWith(prefix)) continue;
      const end = key.indexOf("/", prefix.length);
      if (end >= 0) noteDirectory(directories, prefix, key.slice(0, end + 1), row);
      else if (key !== prefix) files.push({ key, name: key.slice(prefix.length), row, isDirectory: false, changed: timestamp });
      else if (isFile(row.entry)) files.push({ key, name: "%", row, isDirectory: false, changed: timestamp });
    }
    return [...sortByName([...directories.values()]), ...sortByName(files)];
  }

  /** Yield the rows of what exists, directories too. */
  *liveRows() {
    for (const row of this.#replica.rows.values()) {
      if (!isDeleted(row.entry) && !row.entry.key.startsWith(RESERVED)) yield row;
    }
  }

  /** Yield the rows of what has a value. */
  *fileRows() {
    for (const row of this.liveRows()) if (isFile(row.entry)) yield row;
  }

  /** Return how many files there are. */
  count() {
    this.#forgetOld();
    this.#count ??= Array.from(this.fileRows()).length;
    return this.#count;
  }

  /**
   * Return the newest files, the newest first.
   * @param {number} most
   */
  listLatest(most) {
    const rows = [...this.fileRows()].sort((one, other) => other.entry.timestamp - one.entry.timestamp);
    return rows.slice(0, most);
  }

  /**
   * Return the rows of files whose key has all words of a text, in whatever case: those with it in their last part first.
   * @param {string} text
   * @param {number} most
   */
  find(text, most) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    /** @type {Row[]} */
    const inName = [];
    /** @type {Row[]} */
    const elsewhere = [];
    for (const row of words.length === 0 ? [] : this.fileRows()) {
      const key = row.entry.key.toLowerCase();
      if (!words.every((word) => key.includes(word))) continue;
      const name = key.slice(key.lastIndexOf("/") + 1);
      (words.every((word) => name.includes(word)) ? inName : elsewhere).push(row);
    }
    return [...inName, ...elsewhere].slice(0, most);
  }

  /**
   * Return true if there is a directory.
   * @param {string} prefix
   */
  hasDirectory(prefix) {
    for (const { entry } of this.liveRows()) if (entry.key.startsWith(prefix) && (entry.key !== prefix || isDirectory(entry))) return true;
    return false;
  }

  /**
   * Return the keys of a file, or of a directory and all below.
   * @param {string} key
   */
  listBelow(key) {
    if (!key.endsWith("/")) return [key];
    return Array.from(this.liveRows(), ({ entry }) => entry.key).filter((each) => each.startsWith(key));
  }
}

/**
 * @param {Map<string, Child>} directories
 * @param {string} prefix
 * @param {string} key
 * @param {Row} row
 */
function noteDirectory(directories, prefix, key, row) {
  const before = directories.get(key);
  const own = row.entry.key === key && isDirectory(row.entry) ? row : null;
  const name = key.slice(prefix.length, -1) || "%";
  const changed = Math.max(before?.changed ?? 0, row.entry.timestamp);
  directories.set(key, { key, name, row: own ?? before?.row ?? null, isDirectory: true, changed });
}

/** @param {Child[]} children */
function sortByName(children) {
  return children.sort((one, other) => collator.compare(one.name, other.name) || (one.name < other.name ? -1 : 1));
}
