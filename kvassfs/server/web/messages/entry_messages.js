/** Entries as they stand in messages, and back: kvassfs/sync/entry_messages.py. */

import { countListed, HASH_BYTES, LARGEST_SIZE, pairRuns } from "../words/block.js";
import { decodeBase64, encodeBase64, joinBytes } from "../words/bytes.js";
import { checkKey } from "../words/entry.js";
import { checkNumbers, decodeExtras, encodeExtras, NO_EXTRAS } from "../words/entry_fields.js";
import { InvalidKey, InvalidMessage } from "../words/errors.js";
import { parseRecord } from "../words/share_link.js";
import { isObject } from "./message_fields.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Delivery } from "../words/entry.js" */
/** @import { Fields } from "../words/entry_fields.js" */

/** The hashes of blocks, joined, and how often each comes. @typedef {{ blocks: Bytes, counts: readonly number[] }} Listed */

/** Bytes of an entry's message beside its key and value, about. */
const ENTRY_BYTES = 200;

/** Blocks that are listed one by one, also where many are equal: programs of before runs know no other form. */
const LISTED_BLOCKS = 4096;

/** What every entry has; where one of these is missing, its key is not even looked at. */
const REQUIRED = ["Key", "UrlToken", "TimestampUnixMicro", "ProcessID", "Counter"];

const NOTHING_HELD = new Uint8Array();

/** What an entry is called whose key is none. */
const NAMELESS = "(no key)";

/**
 * Return about how many bytes an entry takes in a message.
 * @param {Delivery} delivery
 */
export function estimateSize(delivery) {
  return estimateParts(delivery.entry.key, delivery.value === null ? measureList(delivery) : delivery.value.length);
}

/**
 * Return about how many bytes an entry takes in a message that has `size` bytes for its value, or for the list of its blocks.
 * @param {string} key
 * @param {number} size
 */
export function estimateParts(key, size) {
  return ENTRY_BYTES + key.length + Math.floor((size * 4) / 3);
}

/**
 * Return the bytes of the list of blocks in a message.
 * @param {Listed} listed
 */
export function measureList(listed) {
  return hasRuns(listed) ? listed.blocks.length : HASH_BYTES * countListed(listed);
}

/**
 * Return the fields of an entry. `counter` is its sequence, or in a push its writer's counter.
 * @param {Delivery} delivery
 * @param {number} counter
 * @returns {Fields}
 */
export function encodeEntry(delivery, counter) {
  const { entry, value } = delivery;
  return {
    Key: entry.key,
    Value: encodeBase64(value ?? NOTHING_HELD),
    UrlToken: entry.urlToken,
    TimestampUnixMicro: entry.timestamp,
    ProcessID: entry.processId,
    Counter: counter,
    NeedsToBePushed: true, // the original's hub hands out no others
    ...(counter === entry.counter ? {} : { WriterCounter: entry.counter }),
    ...encodeExtras(entry),
    ...(value === null ? { Size: entry.size, Blocks: encodeBlockList(delivery) } : {}),
  };
}

/**
 * Return true if the blocks are written as runs: there are many, and it makes the list much shorter.
 * @param {Listed} listed
 */
function hasRuns(listed) {
  const runs = listed.counts.length;
  return runs > 0 && countListed(listed) > Math.max(LISTED_BLOCKS, 2 * runs);
}

/**
 * Return the hashes of blocks, joined; or with runs a list of joined hashes, and of pairs of a hash and a count.
 * @param {Delivery} delivery
 * @returns {string | (string | [string, number])[]}
 */
function encodeBlockList(delivery) {
  const { blocks, counts } = delivery;
  if (!hasRuns(delivery)) return encodeBase64(counts.length === 0 ? blocks : repeatHashes(delivery));
  /** @type {(string | [string, number])[]} */
  const parts = [];
  let start = 0; // of the hashes that come once and are not in the list yet
  counts.forEach((times, index) => {
    if (times <= 1) return;
    const at = index * HASH_BYTES;
    if (start < at) parts.push(encodeBase64(blocks.subarray(start, at)));
    start = at + HASH_BYTES;
    parts.push([encodeBase64(blocks.subarray(at, start)), times]);
  });
  if (start < blocks.length) parts.push(encodeBase64(blocks.subarray(start)));
  return parts;
}

/** @param {Delivery} delivery */
function repeatHashes({ blocks, counts }) {
  return joinBytes([...pairRuns(blocks, counts)].flatMap(([hash, times]) => new Array(times).fill(hash)));
}

/**
 * Return the entries of a message, without those whose keys no replica can hold. Throws InvalidMessage if one of the others cannot
 * be read; not if there is a list `unreadable`, which gets the keys of all that are left out.
 * @param {unknown} entries
 * @param {string[] | null} unreadable
 * @returns {Delivery[]}
 */
export function decodeEntries(entries, unreadable) {
  if (entries === null) return []; // how the original writes an empty array
  if (!Array.isArray(entries)) throw new InvalidMessage("its entries are no array");
  const found = [];
  for (const fields of entries) {
    try {
      found.push(decodeEntry(fields));
    } catch (error) {
      if (!(error instanceof InvalidKey) && !(error instanceof InvalidMessage)) throw error;
      if (unreadable !== null) unreadable.push(nameEntry(fields));
      else if (error instanceof InvalidMessage) throw error;
    }
  }
  return found;
}

/** @param {unknown} fields */
function nameEntry(fields) {
  const key = isObject(fields) ? fields["Key"] : null;
  return typeof key === "string" && key !== "" ? key : NAMELESS;
}

/**
 * @param {unknown} fields
 * @returns {Delivery}
 */
function decodeEntry(fields) {
  if (!isObject(fields) || REQUIRED.some((name) => !(name in fields))) throw new InvalidMessage("an entry is none");
  const { Key: key, Value: text, UrlToken: urlToken, Counter: counter, WriterCounter: own = counter } = fields;
  if (typeof key !== "string" || typeof urlToken !== "string") throw new InvalidMessage("a key or token is no text");
  checkKey(key);
  const { sequence, ...numbers } = checkNumbers(key, fields["TimestampUnixMicro"], fields["ProcessID"], counter, own);
  if (text === undefined || !urlToken.isWellFormed()) throw new InvalidMessage("an entry has no value or token");
  const data = requireBase64(text || "");
  const { Blocks: list = null, Size: long } = fields;
  const [value, size] = list === null ? [data, data.length] : [null, requireSize(long)];
  const extras = parseRecord(key) === null ? decodeExtras(key, fields, value, size) : NO_EXTRAS; // a link is no file
  const entry = { key, ...numbers, urlToken, size, ...extras };
  return { entry, sequence, value, ...(list === null ? NO_BLOCKS : decodeBlockList(list, size)) };
}

/** What an entry has whose value is in it. */
const NO_BLOCKS = { blocks: NOTHING_HELD, counts: [] };

/** @param {unknown} size */
function requireSize(size) {
  if (typeof size !== "number" || !Number.isInteger(size) || size < 1 || size > LARGEST_SIZE) {
    throw new InvalidMessage("the size of an entry is none");
  }
  return size;
}

/**
 * @param {unknown} text
 * @returns {Bytes}
 */
function requireBase64(text) {
  const data = decodeBase64(text);
  if (data === null) throw new InvalidMessage("a value or list of blocks is no base64");
  return data;
}

/**
 * @param {unknown} list
 * @param {number} size
 */
function decodeBlockList(list, size) {
  if (!Array.isArray(list)) return { blocks: decodeHashes(list), counts: [] };
  const hashes = [];
  /** @type {number[]} */
  const counts = [];
  for (const part of list) {
    const [text, times] = Array.isArray(part) && part.length === 2 ? part : [part, 1];
    const found = decodeHashes(text);
    if (!Number.isInteger(times) || times < 1 || times > size || (times > 1 && found.length > HASH_BYTES)) {
      throw new InvalidMessage("a run of blocks is none");
    }
    hashes.push(found);
    for (let at = 0; at < found.length; at += HASH_BYTES) counts.push(times);
  }
  if (hashes.length === 0) throw new InvalidMessage("a list of blocks is none");
  return { blocks: joinBytes(hashes), counts };
}

/** @param {unknown} text */
function decodeHashes(text) {
  const hashes = requireBase64(text);
  if (hashes.length === 0 || hashes.length % HASH_BYTES !== 0) throw new InvalidMessage("a list of blocks is none");
  return hashes;
}
