/** What describes a version in its head: kvassfs/veil/attributes.py. `seal_head.js` makes it. */

import { decodeText, viewNumbers } from "../words/bytes.js";
import { formatOrigin, MOST_SEEN } from "../words/conflict.js";
import { LONGEST_KEY, MAX_RECEIVED } from "../words/entry.js";
import { isEcho, parseRecord } from "../words/share_link.js";
import { Spoiled } from "./errors.js";
import { LARGEST_SEALED_SIZE } from "./layout.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Entry } from "../words/entry.js" */

/**
 * A version, without what stands outside of its sealed value; its mode may be one that no file has.
 * @typedef {Omit<Entry, "timestamp" | "processId">} Version
 */

export const HAS_MODE = 1;
export const HAS_MOD_TIME = 2;
export const HAS_SEEN = 4;
export const HAS_ORIGIN = 8;

/** Bytes of flags (1), size (8), mode (4), time of the file (8), origin (12), number of versions seen (1), lengths of token and key (4 each). */
export const FIXED_BYTES = 42;

/** Bytes of a version that was seen: process id (4), counter (8). */
export const SEEN_BYTES = 12;

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
  return {
    key: checkSealedKey(decode(data.subarray(tokenEnd, keyEnd))),
    counter: Number(counter),
    urlToken: decode(data.subarray(FIXED_BYTES, tokenEnd)),
    size: Number(size),
    mode: flags & HAS_MODE ? mode : null,
    modTime: flags & HAS_MOD_TIME ? numbers.getBigInt64(13) : null,
    seen: flags & HAS_SEEN ? readSeen(numbers, keyEnd, seenEnd) : null,
    origin: flags & HAS_ORIGIN ? readVersion(numbers, 21) : null,
  };
}

/**
 * @param {DataView} numbers
 * @param {number} start
 * @param {number} end
 */
function readSeen(numbers, start, end) {
  const seen = [];
  for (let at = start; at < end; at += SEEN_BYTES) seen.push(readVersion(numbers, at));
  return seen.join(" ");
}

/**
 * Return a version before this one, as the text that an entry has.
 * @param {DataView} numbers
 * @param {number} at
 */
function readVersion(numbers, at) {
  const processId = numbers.getUint32(at);
  const counter = numbers.getBigUint64(at + 4);
  if (processId === 0 || counter > MAX_RECEIVED) throw new Spoiled("a version before it is none");
  return formatOrigin({ processId, counter: Number(counter) });
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
  const isLong = key.length > LONGEST_KEY && [...key].length > LONGEST_KEY;
  if (key === "" || key.includes("\0") || isLong || parseRecord(key) !== null || isEcho(key)) {
    throw new Spoiled("no value has such a key");
  }
  return key;
}
