/**
 * The JSON that messages are made of, and the fields in it, which anybody may have written: kvassfs/sync/message_fields.py.
 *
 * `JSON.parse` reads `1.0` and `1e0` as `1`, so here they are integers; and no `NaN`. No program sends any of these.
 */

import { decodeText, encodeText } from "../words/bytes.js";
import { MAX_PROCESS_ID } from "../words/entry.js";
import { InvalidMessage } from "../words/errors.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Fields } from "../words/entry_fields.js" */

/**
 * What devices are called, by their process ids.
 * @typedef {ReadonlyMap<number, string>} Names
 */

/** Devices whose names a message carries at most. */
const MOST_NAMES = 64;

/** Characters of a device's name. */
const LONGEST_NAME = 64;

/** A name that can be shown in one line: `str.isprintable` of Python. */
const PRINTABLE = /^(?:[^\p{C}\p{Z}]| )*$/u;

/**
 * Return the JSON of a message.
 * @param {unknown} message
 */
export function encodeJson(message) {
  return encodeText(JSON.stringify(message));
}

/**
 * Return what JSON says. Throws InvalidMessage if it is none.
 * @param {Bytes} plaintext
 * @returns {unknown}
 */
export function decodeJson(plaintext) {
  try {
    return JSON.parse(decodeText(plaintext));
  } catch {
    throw new InvalidMessage("it is no JSON");
  }
}

/**
 * Return true for a JSON object.
 * @param {unknown} message
 * @returns {message is Fields}
 */
export function isObject(message) {
  return typeof message === "object" && message !== null && !Array.isArray(message);
}

/**
 * Return a message if it is a JSON object.
 * @param {unknown} message
 * @returns {Fields}
 */
export function requireObject(message) {
  if (!isObject(message)) throw new InvalidMessage("it is no JSON object");
  return message;
}

/**
 * Return a message if it is a JSON object of this `kind`, which its `Type` names; one that names none has no others than these fields.
 * @param {unknown} message
 * @param {string} kind
 * @param {ReadonlySet<string>} known
 */
export function requireKind(message, kind, known) {
  const fields = requireObject(message);
  const isRight = "Type" in fields ? fields["Type"] === kind : Object.keys(fields).every((name) => known.has(name));
  if (!isRight) throw new InvalidMessage("it is of another kind");
  return fields;
}

/**
 * Return an integer field; without a `missing` value it must be there.
 * @param {Fields} message
 * @param {string} name
 * @param {number} [missing]
 */
export function readNumber(message, name, missing) {
  const { [name]: number = missing } = message;
  if (typeof number !== "number" || !Number.isSafeInteger(number)) {
    throw new InvalidMessage(`its ${name} is no number that it can have`);
  }
  return number;
}

/**
 * Return true if numbers are integers from `least` on that JSON has exactly.
 * @param {unknown} numbers
 * @param {number} least
 * @returns {numbers is number[]}
 */
export function areNumbers(numbers, least) {
  return Array.isArray(numbers) && numbers.every((number) => Number.isSafeInteger(number) && number >= least);
}

/**
 * Return the field that says what devices are called; nothing where there is no name.
 * @param {Names} names
 * @returns {Fields}
 */
export function encodeNames(names) {
  const found = [...names].slice(0, MOST_NAMES).filter(([, name]) => name !== "");
  return found.length === 0 ? {} : { Names: Object.fromEntries(found) };
}

/**
 * Return what devices are called; names that cannot be shown in a line are left out.
 * @param {Fields} message
 * @returns {Names}
 */
export function readNames(message) {
  const found = new Map();
  const { Names: names = {} } = message;
  for (const [text, name] of Object.entries(requireObject(names)).slice(0, MOST_NAMES)) {
    if (!/^[0-9]{1,10}$/.test(text) || typeof name !== "string") {
      throw new InvalidMessage("its names of devices cannot be read");
    }
    const processId = Number(text);
    if (processId >= 1 && processId <= MAX_PROCESS_ID && name !== "" && canBeName(name)) found.set(processId, name);
  }
  return found;
}

/** @param {string} name */
function canBeName(name) {
  return [...name].length <= LONGEST_NAME && PRINTABLE.test(name) && name === name.trim();
}
