/** What describes a version in its head: kvassfs/veil/attributes.py, as far as who has an address can use it. */

import { decodeText, viewNumbers } from "../words/bytes.js";
import { MOST_SEEN } from "../words/conflict.js";
import { LONGEST_KEY, MAX_RECEIVED } from "../words/entry.js";
import { isEcho, parseRecord } from "../words/share_link.js";
import { Spoiled } from "./errors.js";
import { LARGEST_SEALED_SIZE } from "./layout.js";

/** @import { Bytes } from "../words/bytes.js" */

/**
 * A version: its key, the size of its value, and its mode if it has one.
 * @typedef {{ key: string, size: number, mode: number | null }} Version
 */

const HAS_MODE = 1;
const HAS_SEEN = 4;
const HAS_ORIGIN = 8;

const FIXED_BYTES = 42;
const SEEN_BYTES = 12;

/**
 * Return the version that is described so, whose writer's counter is `counter`. Throws Spoiled if it describes none.
 * @param {Bytes} data
 * @param {bigint} counter
 * @returns {Version}
 */
export function decodeAttributes(data, counter) {
  if (data.length < FIXED_BYTES) throw new Spoiled("what describes it is too short");
  const numbers = viewNumbers(data);
  const flags = numbers.getUint8(0);
  const size = numbers.getBigUint64(1);
  const mode = numbers.getUint32(9);
  const seen = numbers.getUint8(33);
  const tokenEnd = FIXED_BYTES + numbers.getUint32(34);
  const keyEnd = tokenEnd + numbers.getUint32(38);
  const seenEnd = keyEnd + seen * SEEN_BYTES;
  if (seenEnd > data.length || seen > MOST_SEEN) throw new Spoiled("the lengths in what describes it do not add up");
  if (size > BigInt(LARGEST_SEALED_SIZE) || counter > MAX_RECEIVED) throw new Spoiled("its size or counter is out of range");
  if (flags & HAS_ORIGIN) checkVersion(numbers, 21);
  if (flags & HAS_SEEN) for (let at = keyEnd; at < seenEnd; at += SEEN_BYTES) checkVersion(numbers, at);
  decode(data.subarray(FIXED_BYTES, tokenEnd));
  const key = checkSealedKey(decode(data.subarray(tokenEnd, keyEnd)));
  return { key, size: Number(size), mode: flags & HAS_MODE ? mode : null };
}

/**
 * @param {DataView} numbers
 * @param {number} at
 */
function checkVersion(numbers, at) {
  if (numbers.getUint32(at) === 0 || numbers.getBigUint64(at + 4) > MAX_RECEIVED) {
    throw new Spoiled("a version before it is none");
  }
}

/** @param {Bytes} data */
function decode(data) {
  try {
    return decodeText(data);
  } catch {
    throw new Spoiled("a text in what describes it is none");
  }
}

/** @param {string} key */
function checkSealedKey(key) {
  if (key === "" || key.includes("\0") || [...key].length > LONGEST_KEY || parseRecord(key) !== null || isEcho(key)) {
    throw new Spoiled("no value has such a key");
  }
  return key;
}
