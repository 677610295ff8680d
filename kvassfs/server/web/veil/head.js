/** The head of a sealed value, opened by who has an address: kvassfs/veil/head.py and links.py. Devices have `seal_head.js`, `open_head.js`. */

import { decodeAttributes } from "./attributes.js";
import { isZero, viewNumbers } from "../words/bytes.js";
import { CannotBeOpened, NewerForm, Spoiled } from "./errors.js";
import { INLINE_LIMIT, layOut, padBody } from "./layout.js";
import { RUN_BYTES, unpackRuns } from "./lists.js";

/** @import { Version } from "./attributes.js" */
/** @import { Bytes } from "../words/bytes.js" */
/** @import { Layout } from "./layout.js" */
/** @import { ListRun } from "./lists.js" */

/**
 * An opened head: the version, its value if that is short, the lists of its blocks if not, and the bytes of the head.
 * @typedef {{ version: Version, value: Bytes | null, lists: ListRun[], layout: Layout, length: number }} Head
 */

/**
 * A head, taken apart; `prefix` is what the box authenticates beside itself.
 * @typedef {{ counter: bigint, prefix: Bytes, nonce: Bytes, box: Bytes, wraps: Bytes[], length: number }} Parts
 */

export const VERSION = 1;

/** Where the parts of a head begin: version (1), counter (8), nonce (12), length of the box (4), box. */
const NONCE_AT = 9;
const LENGTH_AT = 21;
const BOX_AT = 25;

export const BODY_LENGTH_BYTES = 4;
export const MOST_WRAPS = 16;
const WRAP_BYTES = 48;
export const PROOF_BYTES = 32;

/**
 * Open a head by the key of the version. Throws NewerForm, CannotBeOpened or Spoiled.
 * @param {Bytes} versionKey
 * @param {Bytes} data
 */
export async function openByVersionKey(versionKey, data) {
  return openBox(versionKey, splitHead(data));
}

/**
 * Open a head by the key of a link. Throws what `openByVersionKey` does.
 * @param {Bytes} linkKey
 * @param {Bytes} data
 */
export async function openByLinkKey(linkKey, data) {
  const parts = splitHead(data);
  for (const wrap of parts.wraps) {
    const versionKey = await decrypt(linkKey, parts.nonce, wrap, new Uint8Array());
    if (versionKey !== null) return openBox(versionKey, parts);
  }
  throw new CannotBeOpened();
}

/**
 * @param {Bytes} versionKey
 * @param {Parts} parts
 * @returns {Promise<Head>}
 */
async function openBox(versionKey, parts) {
  const body = await decrypt(versionKey, parts.nonce, parts.box, parts.prefix);
  if (body === null) throw new CannotBeOpened();
  return readBody(body, parts);
}

/**
 * Return what AES-256-GCM has encrypted, `null` if it is not that or the key is another one.
 * @param {Bytes} key
 * @param {Bytes} nonce
 * @param {Bytes} data
 * @param {Bytes} beside
 * @returns {Promise<Bytes | null>}
 */
export async function decrypt(key, nonce, data, beside) {
  const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  try {
    const options = { name: "AES-GCM", iv: nonce, additionalData: beside };
    return new Uint8Array(await crypto.subtle.decrypt(options, imported, data));
  } catch {
    return null;
  }
}

/**
 * Take a head apart, of which nothing is known yet.
 * @param {Bytes} data
 * @returns {Parts}
 */
export function splitHead(data) {
  const version = data[0];
  if (version === undefined) throw new Spoiled("it has no head");
  if (version > VERSION) throw new NewerForm(version);
  if (version < VERSION) throw new Spoiled("its head is none");
  if (data.length < BOX_AT + 1 + PROOF_BYTES) throw new Spoiled("its head is too short");
  const numbers = viewNumbers(data);
  const boxEnd = BOX_AT + numbers.getUint32(LENGTH_AT);
  const count = data[boxEnd];
  const wrapsEnd = boxEnd + 1 + (count ?? 0) * WRAP_BYTES;
  if (count === undefined || count > MOST_WRAPS || wrapsEnd + PROOF_BYTES !== data.length) {
    throw new Spoiled("the lengths in its head do not add up");
  }
  const wraps = [];
  for (let at = boxEnd + 1; at < wrapsEnd; at += WRAP_BYTES) wraps.push(data.subarray(at, at + WRAP_BYTES));
  return {
    counter: numbers.getBigUint64(1),
    prefix: data.subarray(0, NONCE_AT),
    nonce: data.subarray(NONCE_AT, LENGTH_AT),
    box: data.subarray(BOX_AT, boxEnd),
    wraps,
    length: data.length,
  };
}

/**
 * Return what a decrypted body says, if there is nothing in it but what belongs there.
 * @param {Bytes} body
 * @param {Parts} parts
 * @returns {Head}
 */
export function readBody(body, parts) {
  if (body.length < BODY_LENGTH_BYTES) throw new Spoiled("its head is too short");
  const start = BODY_LENGTH_BYTES + viewNumbers(body).getUint32(0);
  const content = body.subarray(start);
  const version = decodeAttributes(body.subarray(BODY_LENGTH_BYTES, start), parts.counter);
  const layout = layOut(version.size);
  const isShort = version.size <= INLINE_LIMIT;
  const lists = isShort ? [] : unpackRuns(content, layout.allLists);
  const taken = isShort ? version.size : lists.length * RUN_BYTES;
  if (body.length !== padBody(start + taken) || !isZero(content.subarray(taken))) {
    throw new Spoiled("its head has another length than what is in it");
  }
  return { version, value: isShort ? content.subarray(0, taken) : null, lists, layout, length: parts.length };
}
