/** Entries, their order and what they can be: kvassfs/entry.py. */

import { encodeUrl } from "./bytes.js";
import { InvalidKey } from "./errors.js";

/** @import { Bytes, Random } from "./bytes.js" */

/**
 * The state of one key, without the bytes of its value. `timestamp` is in µs since the epoch; `counter` is the writer's Lamport
 * clock; `modTime` in ns. `seen` is what the writer had seen of the key, as "7:12 9:3", and `origin` the version that wrote
 * the value, as "7:12", if this one keeps it.
 * @typedef {{
 *   key: string, timestamp: number, counter: number, processId: number, urlToken: string, size: number,
 *   mode: number | null, modTime: bigint | null, seen: string | null, origin: string | null,
 * }} Entry
 */

/**
 * An entry on its way between replicas. `sequence` is the clock of the replica that hands it out. `value` is `null` where it travels in
 * blocks; then `blocks` has their hashes, joined, and `counts` how often each comes one after another (empty = all once).
 * @typedef {{ entry: Entry, sequence: number, value: Bytes | null, blocks: Bytes, counts: readonly number[] }} Delivery
 */

/** Random bytes in a URL token. */
const TOKEN_BYTES = 16;

/** The greatest timestamp and counter. */
export const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

/** The greatest timestamp and counter that is taken from others, and greatest timestamp that is given here. */
export const MAX_RECEIVED = 2 ** 53 - 2 ** 32;

export const MAX_PROCESS_ID = 2 ** 32 - 1;

/** Characters of a key, at most. */
export const LONGEST_KEY = 1024 * 1024;

/** Microseconds by which clocks may differ and still be taken to agree. */
export const CLOCK_TOLERANCE = 1_000_000;

/** Bytes of the longest target of a symbolic link. */
const MAX_TARGET = 4095;

const TYPE_BITS = 0o170000;
const DIRECTORY_TYPE = 0o040000;
const LINK_TYPE = 0o120000;
const FILE_TYPE = 0o100000;

/** The type and permissions of an entry that carries no mode. */
export const DEFAULT_MODE = FILE_TYPE | 0o600;

/** Permissions that stay on the machine where they were given. */
export const OWN_BITS = 0o6000;

/**
 * Return true for a tombstone: an empty value that is no empty file.
 * @param {Entry} entry
 */
export function isDeleted(entry) {
  return entry.size === 0 && entry.mode === null;
}

/**
 * Return true for the entry of a directory, whose key ends in `/`; it has no value.
 * @param {Entry} entry
 */
export function isDirectory(entry) {
  return entry.mode !== null && (entry.mode & TYPE_BITS) === DIRECTORY_TYPE;
}

/**
 * Return true if the value is the target of a symbolic link.
 * @param {Pick<Entry, "mode">} entry
 */
export function isSymlink(entry) {
  return entry.mode !== null && (entry.mode & TYPE_BITS) === LINK_TYPE;
}

/**
 * Return true if the key has a value, of no bytes maybe.
 * @param {Entry} entry
 */
export function isFile(entry) {
  return !isDeleted(entry) && !isDirectory(entry);
}

/**
 * Return true if it is known to have come through no hub of version 1, which drops all this.
 * @param {Entry} entry
 */
export function isWhole(entry) {
  return entry.mode !== null || entry.modTime !== null || entry.seen !== null;
}

/**
 * Compare what decides between two versions of one key: the greater wins.
 * @param {Entry} one
 * @param {Entry} other
 * @returns {number} less than 0, 0 or more
 */
export function compareOrder(one, other) {
  return one.timestamp - other.timestamp || one.counter - other.counter || other.processId - one.processId;
}

/**
 * Compare what decides where the order is equal.
 * @param {Entry} one
 * @param {Entry} other
 * @returns {number}
 */
export function compareRank(one, other) {
  return (
    Number(one.mode !== null) - Number(other.mode !== null) ||
    Number(one.modTime !== null) - Number(other.modTime !== null) ||
    Number(one.seen !== null) - Number(other.seen !== null) ||
    compareText(one.urlToken, other.urlToken) ||
    (one.mode ?? 0) - (other.mode ?? 0) ||
    compareNumbers(one.modTime ?? 0n, other.modTime ?? 0n) ||
    compareText(one.seen ?? "", other.seen ?? "") ||
    compareText(one.origin ?? "", other.origin ?? "")
  );
}

/**
 * Return true if two entries are the same version, also where a hub of version 1 has changed its counter.
 * @param {Entry} one
 * @param {Entry} other
 */
export function isSameWrite(one, other) {
  return (
    one.key === other.key &&
    one.timestamp === other.timestamp &&
    one.processId === other.processId &&
    one.urlToken === other.urlToken
  );
}

/**
 * @param {bigint} one
 * @param {bigint} other
 */
function compareNumbers(one, other) {
  return one < other ? -1 : Number(one > other);
}

/**
 * Compare texts by their code points, which is the order of UTF-8 and of Python, and not that of `<`.
 * @param {string} one
 * @param {string} other
 */
export function compareText(one, other) {
  const length = Math.min(one.length, other.length);
  let at = 0;
  while (at < length && one.charCodeAt(at) === other.charCodeAt(at)) at += 1;
  if (at === length) return one.length - other.length;
  return sortUnit(one.charCodeAt(at)) - sortUnit(other.charCodeAt(at));
}

/** @param {number} unit */
function sortUnit(unit) {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit; // halves of what lies above all that has one unit
}

/**
 * Return true if two versions of a key are known to have the same value.
 * @param {Entry} one
 * @param {Entry} other
 */
export function haveSameValue(one, other) {
  return one.urlToken === other.urlToken && one.size === other.size;
}

/**
 * Return the timestamp of a new entry: `now`, or a later one where the timestamp `replaced` of the version before asks for that.
 * @param {number} now
 * @param {number | null} replaced
 */
export function nextTimestamp(now, replaced) {
  return Math.min(Math.max(now, replaced === null ? 0 : replaced + 1), MAX_RECEIVED);
}

/**
 * Return the timestamp that a version of our own gets which no other device knows yet, before it is sent; in µs.
 * @param {number} timestamp
 * @param {number} difference of the hub's clock to ours
 * @param {number} now by the hub's clock
 * @param {number | null} floor the newest timestamp of the key that others know
 */
export function stampAnew(timestamp, difference, now, floor) {
  if (timestamp <= now + CLOCK_TOLERANCE) return timestamp;
  return nextTimestamp(Math.min(timestamp + difference, now), floor);
}

/**
 * Return a fresh URL token, which does not begin with `-`.
 * @param {Random} random
 */
export function makeToken(random) {
  const token = encodeUrl(random(TOKEN_BYTES));
  return token.startsWith("-") ? `A${token.slice(1)}` : token;
}

/**
 * Return `key` if an entry can have it. Throws InvalidKey.
 * @param {string} key
 */
export function checkKey(key) {
  if (key === "") throw new InvalidKey(key, "it is empty");
  if (key.length > LONGEST_KEY && [...key].length > LONGEST_KEY) throw new InvalidKey(key, "it is too long");
  if (key.includes("\0")) throw new InvalidKey(key, "it holds a NUL character");
  if (!key.isWellFormed()) throw new InvalidKey(key, "it is no text");
  return key;
}

/**
 * Return the mode that an entry has with which it came; `value` is `null` where it is long. Every replica decides so of the same entry.
 * @param {string} key
 * @param {number} mode
 * @param {Bytes | null} value
 * @param {number} size
 */
export function checkMode(key, mode, value, size) {
  const type = mode & TYPE_BITS;
  const isPossible =
    type === FILE_TYPE ||
    (type === LINK_TYPE && (value === null ? size <= MAX_TARGET : isTarget(value))) ||
    (type === DIRECTORY_TYPE && key.endsWith("/") && value !== null && value.length === 0);
  return isPossible ? mode & (type | 0o7777) & ~OWN_BITS : DEFAULT_MODE;
}

/**
 * Return true if a symbolic link can lead to a value.
 * @param {Bytes} value
 */
function isTarget(value) {
  if (value.length === 0 || value.length > MAX_TARGET || value.includes(0)) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(value);
    return true;
  } catch {
    return false;
  }
}

/**
 * Return the prefix of the directory that holds a directory: `a/` of `a/b/`.
 * @param {string} prefix
 */
export function parentOf(prefix) {
  return prefix.slice(0, prefix.lastIndexOf("/", prefix.length - 2) + 1);
}

/**
 * Return the prefix of the directory that lists a key: `a/` of `a/b` and of `a/`, "" of `a`.
 * @param {string} key
 */
export function directoryOf(key) {
  return key.slice(0, key.lastIndexOf("/") + 1);
}
