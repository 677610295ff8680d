/** Base64 with padding, in which the JSON of pairing has its bytes. */

/** @import { Bytes } from "../veil/bytes.js" */

const PADDED = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Return bytes in base64.
 * @param {Bytes} data
 */
export function encodePadded(data) {
  return btoa(String.fromCharCode(...data));
}

/**
 * Return the bytes of base64, `null` if it is none.
 * @param {string} text
 * @returns {Bytes | null}
 */
export function decodePadded(text) {
  if (!PADDED.test(text)) return null;
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
