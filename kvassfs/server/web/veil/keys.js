/** The keys of a sealed store, the names of its keys, and what only its devices can compute: kvassfs/veil/keys.py. */

import { encodeText, encodeUrl, joinBytes } from "../words/bytes.js";
import { KvassError } from "../words/errors.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Entry } from "../words/entry.js" */

/**
 * The keys that follow from that of the store. Nobody can read them out, and the browser keeps them as they are. `access` is the only
 * one that a hub has: messages are sealed with it (AES-GCM); the others make HMACs. `names` hides keys, `blocks` makes the keys of blocks and
 * lists, `versions` those of versions and links, `proofs` what shows that a device made something.
 * @typedef {{ access: CryptoKey, names: CryptoKey, blocks: CryptoKey, versions: CryptoKey, proofs: CryptoKey }} VeilKeys
 */

/**
 * What of a version stands outside of its sealed value, and is proven by that: at the hub everybody sees it.
 * @typedef {{ name: string, token: string, timestamp: number, processId: number }} Outside
 */

const SECRET_BYTES = 32;

/** Random bytes that the token of a version would have. */
const OUTER_TOKEN_BYTES = 16;

const ACCESS = { name: "AES-GCM", length: 256 };
const HMAC = { name: "HMAC", hash: "SHA-256", length: 256 };

const NAME = /^~[\0-\x7f]{43}$/;
const OUTER_TOKEN = /^[\0-\x7f]{22}$/;

/**
 * Return the keys that follow from the 32 random bytes of a store, which nothing else is needed for then.
 * @param {Bytes} secret
 * @returns {Promise<VeilKeys>}
 */
export async function deriveVeilKeys(secret) {
  if (secret.length !== SECRET_BYTES) throw new KvassError("This is not the key of a sealed store.");
  const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const [access, names, blocks, versions, proofs] = await Promise.all([
    deriveKey(base, "access", ACCESS, ["encrypt", "decrypt"]),
    deriveKey(base, "names", HMAC, ["sign"]),
    deriveKey(base, "blocks", HMAC, ["sign"]),
    deriveKey(base, "versions", HMAC, ["sign"]),
    deriveKey(base, "proofs", HMAC, ["sign", "verify"]),
  ]);
  return { access, names, blocks, versions, proofs };
}

/**
 * @param {CryptoKey} base
 * @param {string} purpose
 * @param {AesKeyGenParams | HmacKeyGenParams} form
 * @param {KeyUsage[]} usages
 */
async function deriveKey(base, purpose, form, usages) {
  const info = encodeText(`kvass sealed 1 ${purpose}`);
  const options = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return crypto.subtle.deriveKey(options, base, form, false, usages);
}

/**
 * Return the HMAC of a text.
 * @param {CryptoKey} key
 * @param {Bytes} text
 * @returns {Promise<Bytes>}
 */
export async function computeMac(key, text) {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, text));
}

/**
 * Return parts joined so that no others make the same bytes: each with its length before it.
 * @param {string} what keeps kinds of things apart
 * @param {Bytes[]} parts
 */
export function joinParts(what, parts) {
  return joinBytes([encodeText(what), ...parts].flatMap((part) => [packNumber(part.length), part]));
}

/**
 * Return what shows that a device has made something of these parts.
 * @param {VeilKeys} keys
 * @param {string} what
 * @param {Bytes[]} parts
 */
export async function prove(keys, what, parts) {
  return computeMac(keys.proofs, joinParts(what, parts));
}

/**
 * Return a number of 32 bits.
 * @param {number} number
 * @returns {Bytes}
 */
export function packNumber(number) {
  const data = new Uint8Array(4);
  new DataView(data.buffer).setUint32(0, number);
  return data;
}

/**
 * Return numbers of 64 bits.
 * @param {number[]} numbers
 * @returns {Bytes}
 */
export function packNumbers(...numbers) {
  const data = new Uint8Array(8 * numbers.length);
  const view = new DataView(data.buffer);
  numbers.forEach((number, index) => view.setBigUint64(8 * index, BigInt(number)));
  return data;
}

/**
 * Return bytes whose base64url does not begin with `-`.
 * @param {Bytes} data
 * @returns {Bytes}
 */
export function clearHighestBit(data) {
  return data.map((byte, at) => (at === 0 ? byte & 0x7f : byte));
}

/**
 * Return the name that a key has at the hub. It is the same each time.
 * @param {VeilKeys} keys
 * @param {string} key
 */
export async function hideKey(keys, key) {
  return `~${encodeUrl(await computeMac(keys.names, encodeText(key)))}`;
}

/**
 * Return true if a key looks like the name of one.
 * @param {string} text
 */
export function isName(text) {
  return NAME.test(text);
}

/**
 * Return true if a text looks like the token of a version at the hub.
 * @param {string} text
 */
export function isOuterToken(text) {
  return OUTER_TOKEN.test(text);
}

/**
 * Return what stands of a version outside of its sealed value.
 * @param {VeilKeys} keys
 * @param {Entry} entry
 * @returns {Promise<Outside>}
 */
export async function hideVersion(keys, entry) {
  const { timestamp, counter, processId } = entry;
  const name = await hideKey(keys, entry.key);
  const parts = [encodeText(name), encodeText(entry.urlToken), packNumbers(timestamp, counter, processId)];
  const digest = await prove(keys, "token", parts);
  const token = encodeUrl(clearHighestBit(digest.subarray(0, OUTER_TOKEN_BYTES)));
  return { name, token, timestamp, processId };
}

/**
 * Return what stands outside of a version as bytes, for its proof. Name and token have one length each.
 * @param {Outside} outside
 */
export function joinOutside({ name, token, timestamp, processId }) {
  return joinBytes([encodeText(name + token), packNumbers(timestamp, processId)]);
}

/**
 * Return the key of a version, which its address carries.
 * @param {VeilKeys} keys
 * @param {string} outerToken
 */
export async function deriveVersionKey(keys, outerToken) {
  return computeMac(keys.versions, encodeText(outerToken));
}
