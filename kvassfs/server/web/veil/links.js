/** Share links of a sealed store: tokens that only devices can make, and keys that open and cannot make: kvassfs/veil/links.py. */

import { areEqual, decodeUrl, encodeText, encodeUrl, joinBytes } from "../words/bytes.js";
import { decrypt, MOST_WRAPS } from "./head.js";
import { clearHighestBit, computeMac, deriveVersionKey, hideVersion, prove } from "./keys.js";

/** @import { Bytes, Random } from "../words/bytes.js" */
/** @import { Entry } from "../words/entry.js" */
/** @import { ShareLink } from "../words/share_link.js" */
/** @import { SealedAddress } from "./addresses.js" */
/** @import { VeilKeys } from "./keys.js" */

const LINK_NONCE_BYTES = 16;
const LINK_PROOF_BYTES = 16;

/** The record of a link: its token, its terms as they are proven (a number in them may be one that JavaScript has not), and a name. */
const PROVABLE = /^\u0001link\/([A-Za-z0-9_-]{43})\/((?:-|[1-9][0-9]{0,17})\/(?:once|often))\/(~[\0-\x7f]{43})$/;

/**
 * Return a new link to the key with a name at the hub; `expires` in µs since the epoch, 0 = never.
 * @param {VeilKeys} keys
 * @param {string} name
 * @param {{ expires: number, once: boolean }} terms
 * @param {Random} random
 * @returns {Promise<ShareLink>}
 */
export async function makeLink(keys, name, { expires, once }, random) {
  const nonce = clearHighestBit(random(LINK_NONCE_BYTES));
  const terms = `${expires || "-"}/${once ? "once" : "often"}`;
  return { token: encodeUrl(joinBytes([nonce, await proveLink(keys, nonce, terms, name)])), key: name, expires, once };
}

/**
 * @param {VeilKeys} keys
 * @param {Bytes} nonce
 * @param {string} terms
 * @param {string} name
 */
async function proveLink(keys, nonce, terms, name) {
  return (await prove(keys, "link", [nonce, encodeText(terms), encodeText(name)])).subarray(0, LINK_PROOF_BYTES);
}

/**
 * Return true if a device of this store has made the link that a record is of, with these terms, to the key of this name.
 * @param {VeilKeys} keys
 * @param {string} record
 */
export async function isProven(keys, record) {
  const [, token, terms, name] = PROVABLE.exec(record) ?? [];
  if (token === undefined || terms === undefined || name === undefined) return false;
  const data = decodeUrl(token);
  const proof = await proveLink(keys, data.subarray(0, LINK_NONCE_BYTES), terms, name);
  return areEqual(proof, data.subarray(LINK_NONCE_BYTES)) && encodeUrl(data) === token;
}

/**
 * Return the key of a link, which its address carries: it opens the wraps of the versions that the link leads to.
 * @param {VeilKeys} keys
 * @param {string} token
 */
export async function deriveLinkKey(keys, token) {
  return computeMac(keys.versions, encodeText(token));
}

/**
 * Return the links for which a version wraps its key: all, or the same ones on every device where there are too many.
 * @param {ShareLink[]} links
 */
export function chooseLinks(links) {
  return links.toSorted((one, other) => (one.token < other.token ? -1 : 1)).slice(0, MOST_WRAPS);
}

/**
 * Return the key of a version wrapped for each of the links, with the nonce of the head.
 * @param {VeilKeys} keys
 * @param {ShareLink[]} links
 * @param {Bytes} versionKey
 * @param {Bytes} nonce
 */
export async function makeWraps(keys, links, versionKey, nonce) {
  return Promise.all(
    chooseLinks(links).map(async ({ token }) =>
      encrypt(await deriveLinkKey(keys, token), nonce, versionKey, new Uint8Array()),
    ),
  );
}

/**
 * Return those of the live links of a key for which its version should have wrapped its key, and has not.
 * @param {VeilKeys} keys
 * @param {ShareLink[]} links
 * @param {{ nonce: Bytes, wraps: Bytes[] }} head
 */
export async function findUnwrapped(keys, links, { nonce, wraps }) {
  const missing = [];
  for (const link of chooseLinks(links)) {
    const key = await deriveLinkKey(keys, link.token);
    const opened = await Promise.all(wraps.map((wrap) => decrypt(key, nonce, wrap, new Uint8Array())));
    if (opened.every((versionKey) => versionKey === null)) missing.push(link);
  }
  return missing;
}

/**
 * Return data encrypted by AES-256-GCM.
 * @param {Bytes} key
 * @param {Bytes} iv
 * @param {Bytes} data
 * @param {Bytes} beside what is authenticated with it
 */
export async function encrypt(key, iv, data, beside) {
  const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const options = { name: "AES-GCM", iv, additionalData: beside };
  return new Uint8Array(await crypto.subtle.encrypt(options, imported, data));
}

/**
 * Return the address of one version of a key, which ends with that.
 * @param {VeilKeys} keys
 * @param {Entry} entry
 * @returns {Promise<SealedAddress>}
 */
export async function addressVersion(keys, entry) {
  const { token } = await hideVersion(keys, entry);
  return { token, key: await deriveVersionKey(keys, token) };
}

/**
 * Return the address of a share link.
 * @param {VeilKeys} keys
 * @param {ShareLink} link
 * @returns {Promise<SealedAddress>}
 */
export async function addressLink(keys, { token }) {
  return { token, key: await deriveLinkKey(keys, token) };
}

/**
 * Return what an address has behind its `#`.
 * @param {SealedAddress} address
 */
export function formatFragment({ token, key }) {
  return `${token}.${encodeUrl(key)}`;
}
