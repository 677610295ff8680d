/** The head of a sealed value, made by a device: kvassfs/veil/head.py and attributes.py. */

import { encodeText, joinBytes, viewNumbers } from "../words/bytes.js";
import { parseOrigin, parseSeen } from "../words/conflict.js";
import { OWN_BITS } from "../words/entry.js";
import { KvassError } from "../words/errors.js";
import { FIXED_BYTES, HAS_MOD_TIME, HAS_MODE, HAS_ORIGIN, HAS_SEEN } from "./attributes.js";
import { BODY_LENGTH_BYTES, PROOF_BYTES, VERSION } from "./head.js";
import { deriveVersionKey, joinOutside, packNumber, packNumbers, prove } from "./keys.js";
import { LONGEST_HEAD, padBody } from "./layout.js";
import { encrypt, makeWraps } from "./links.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Entry } from "../words/entry.js" */
/** @import { ShareLink } from "../words/share_link.js" */
/** @import { Outside, VeilKeys } from "./keys.js" */

const HEAD_NONCE_BYTES = 12;

/** What stands for a version before where there is none. */
const NO_ORIGIN = { processId: 0, counter: 0 };

/**
 * Return the head of a version, of which the hub sees `outside`; `content` is its value, or the lists of its blocks. `links` are the live
 * ones of its key. Throws KvassError if it is longer than a head can be.
 * @param {VeilKeys} keys
 * @param {Outside} outside
 * @param {Entry} entry
 * @param {Bytes} content
 * @param {ShareLink[]} links
 * @returns {Promise<Bytes>}
 */
export async function sealHead(keys, outside, entry, content, links) {
  const joined = joinOutside(outside);
  const body = packBody(encodeAttributes(entry), content);
  const prefix = joinBytes([Uint8Array.of(VERSION), packNumbers(entry.counter)]);
  const [proof, versionKey] = await Promise.all([
    prove(keys, "nonce", [joined, body]),
    deriveVersionKey(keys, outside.token),
  ]);
  const nonce = proof.subarray(0, HEAD_NONCE_BYTES);
  const [box, wraps] = await Promise.all([
    encrypt(versionKey, nonce, body, prefix),
    makeWraps(keys, links, versionKey, nonce),
  ]);
  const head = joinBytes([prefix, nonce, packNumber(box.length), box, Uint8Array.of(wraps.length), ...wraps]);
  if (head.length + PROOF_BYTES > LONGEST_HEAD) {
    throw new KvassError("The key is too long, or the value too large, for a sealed store.");
  }
  return joinBytes([head, await prove(keys, "head", [joined, head])]);
}

/**
 * @param {Bytes} attributes
 * @param {Bytes} content
 */
function packBody(attributes, content) {
  const body = new Uint8Array(padBody(BODY_LENGTH_BYTES + attributes.length + content.length));
  body.set(packNumber(attributes.length));
  body.set(attributes, BODY_LENGTH_BYTES);
  body.set(content, BODY_LENGTH_BYTES + attributes.length);
  return body;
}

/**
 * Return what describes a version.
 * @param {Entry} entry
 * @returns {Bytes}
 */
function encodeAttributes(entry) {
  const token = encodeText(entry.urlToken);
  const key = encodeText(entry.key);
  const seen = parseSeen(entry.seen);
  const fixed = new Uint8Array(FIXED_BYTES);
  const numbers = viewNumbers(fixed);
  numbers.setUint8(0, flagParts(entry));
  numbers.setBigUint64(1, BigInt(entry.size));
  numbers.setUint32(9, (entry.mode ?? 0) & ~OWN_BITS);
  numbers.setBigInt64(13, entry.modTime ?? 0n);
  fixed.set(packOrigin(entry.origin === null ? NO_ORIGIN : parseOrigin(entry.origin)), 21);
  numbers.setUint8(33, seen.length);
  numbers.setUint32(34, token.length);
  numbers.setUint32(38, key.length);
  return joinBytes([fixed, token, key, ...seen.map(packOrigin)]);
}

/** @param {Entry} entry */
function flagParts({ mode, modTime, seen, origin }) {
  return (
    (mode === null ? 0 : HAS_MODE) |
    (modTime === null ? 0 : HAS_MOD_TIME) |
    (seen === null ? 0 : HAS_SEEN) |
    (origin === null ? 0 : HAS_ORIGIN)
  );
}

/** @param {{ processId: number, counter: number }} origin */
function packOrigin({ processId, counter }) {
  return joinBytes([packNumber(processId), packNumbers(counter)]);
}
