/** The fields of an entry that the original program does not know, as JSON has them, and what they can be: kvassfs/entry_fields.py. */

import { formatOrigin, MOST_SEEN, parseOrigin, parseSeen } from "./conflict.js";
import { checkMode, MAX_PROCESS_ID, MAX_RECEIVED, OWN_BITS } from "./entry.js";
import { InvalidMessage, OutOfRange } from "./errors.js";

/** @import { Bytes } from "./bytes.js" */
/** @import { Origin } from "./conflict.js" */
/** @import { Entry } from "./entry.js" */

/**
 * A JSON object: anybody may have written it.
 * @typedef {Record<string, unknown>} Fields
 */

/** @typedef {Pick<Entry, "mode" | "modTime" | "seen" | "origin">} Extras */

/** What an entry has that says nothing of all this. */
export const NO_EXTRAS = { mode: null, modTime: null, seen: null, origin: null };

/** The latest time of a file, in ns. */
const MAX_TIME = 2n ** 63n - 1n;

/** The greatest number that stands for a type and permissions. */
const MAX_MODE = 2 ** 32 - 1;

const MOD_TIME = /^-?[0-9]{1,19}$/;

/**
 * Return the fields for mode, time, and what was seen, as far as an entry has them.
 * @param {Entry} entry
 * @returns {Fields}
 */
export function encodeExtras({ mode, modTime, seen, origin }) {
  /** @type {Fields} */
  const fields = {};
  if (mode !== null) fields["Mode"] = mode & ~OWN_BITS;
  if (modTime !== null) fields["ModTime"] = String(modTime);
  if (seen !== null) fields["Seen"] = parseSeen(seen).map(pairOrigin);
  if (origin !== null) fields["Of"] = pairOrigin(parseOrigin(origin));
  return fields;
}

/** @param {Origin} origin */
function pairOrigin({ processId, counter }) {
  return [processId, counter];
}

/**
 * Return mode, time, what was seen and the origin; `value` is `null` where it is long, of `size` bytes. Throws InvalidMessage.
 * @param {string} key
 * @param {Fields} fields
 * @param {Bytes | null} value
 * @param {number} size
 * @returns {Extras}
 */
export function decodeExtras(key, fields, value, size) {
  const { Mode: mode = null, ModTime: modTime = null, Seen: seen = null, Of: origin = null } = fields;
  return {
    mode: mode === null ? null : checkMode(key, decodeMode(mode), value, size),
    modTime: modTime === null ? null : decodeModTime(key, modTime),
    seen: seen === null ? null : decodeSeen(key, seen),
    origin: origin === null ? null : decodeOrigin(key, origin),
  };
}

/**
 * Throw InvalidMessage if a number of an entry is none, or out of range.
 * @param {string} key
 * @param {unknown} timestamp
 * @param {unknown} processId
 * @param {unknown} counter
 * @param {unknown} writerCounter
 */
export function checkNumbers(key, timestamp, processId, counter, writerCounter) {
  return {
    timestamp: checkRange(key, "timestamp", timestamp, 0, MAX_RECEIVED),
    processId: checkRange(key, "process id", processId, 1, MAX_PROCESS_ID),
    sequence: checkRange(key, "counter", counter, 0, MAX_RECEIVED),
    counter: checkRange(key, "counter", writerCounter, 0, MAX_RECEIVED),
  };
}

/**
 * Return a number if it is an integer in a range.
 * @param {string} key
 * @param {string} name
 * @param {unknown} number
 * @param {number} least
 * @param {number} greatest
 */
function checkRange(key, name, number, least, greatest) {
  if (typeof number !== "number" || !Number.isInteger(number)) throw new InvalidMessage(`the ${name} is no integer`);
  if (number < least || number > greatest) throw new OutOfRange(key, name, number);
  return number;
}

/** @param {unknown} mode */
function decodeMode(mode) {
  if (typeof mode !== "number" || !Number.isInteger(mode) || mode < 0 || mode > MAX_MODE) {
    throw new InvalidMessage("the mode of a file is none");
  }
  return mode;
}

/**
 * @param {string} key
 * @param {unknown} text
 */
function decodeModTime(key, text) {
  if (typeof text !== "string" || !MOD_TIME.test(text)) throw new InvalidMessage("the time of a file is none");
  const time = BigInt(text);
  if (time < -MAX_TIME - 1n || time > MAX_TIME) throw new OutOfRange(key, "mtime", time);
  return time;
}

/**
 * @param {string} key
 * @param {unknown} seen
 */
function decodeSeen(key, seen) {
  if (!Array.isArray(seen)) throw new InvalidMessage("what was seen is no array");
  return seen
    .slice(0, MOST_SEEN)
    .map((pair) => decodeOrigin(key, pair))
    .join(" ");
}

/**
 * Return the text that an entry has for a version before it.
 * @param {string} key
 * @param {unknown} pair
 */
function decodeOrigin(key, pair) {
  if (!Array.isArray(pair) || pair.length !== 2) throw new InvalidMessage("a version before is no pair");
  return formatOrigin({
    processId: checkRange(key, "process id of a version before", pair[0], 1, MAX_PROCESS_ID),
    counter: checkRange(key, "counter of a version before", pair[1], 0, MAX_RECEIVED),
  });
}
