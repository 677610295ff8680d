/** Addresses of a sealed store: what stands behind their `#`, and what they open: kvassfs/veil/addresses.py. */

import { decodeUrl } from "../words/bytes.js";
import { openByLinkKey, openByVersionKey } from "./head.js";
import { checkLength, readHead } from "./values.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Read } from "./values.js" */

/**
 * What finds something at the hub, the token of a version or of a link, and the key that opens it.
 * @typedef {{ token: string, key: Bytes }} SealedAddress
 */

const FRAGMENT = /^([A-Za-z0-9_-]{22}|[A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

/** Characters in the token of a link; that of a version has fewer. */
const LINK_TOKEN_LENGTH = 43;

/**
 * Return what stands behind the `#` of an address, `null` if that is none of a sealed store.
 * @param {string} text
 * @returns {SealedAddress | null}
 */
export function parseFragment(text) {
  const [, token, key] = FRAGMENT.exec(text) ?? [];
  return token === undefined || key === undefined ? null : { token, key: decodeUrl(key) };
}

/**
 * Open the head of what an address leads to, of which `read` returns the `size` bytes; `readValue` reads the rest.
 * Throws NewerForm, CannotBeOpened or Spoiled.
 * @param {SealedAddress} address
 * @param {Read} read
 * @param {number} size
 */
export async function openAddress(address, read, size) {
  const data = await readHead(read, size);
  const open = address.token.length === LINK_TOKEN_LENGTH ? openByLinkKey : openByVersionKey;
  const head = await open(address.key, data);
  checkLength(head, size);
  return head;
}
