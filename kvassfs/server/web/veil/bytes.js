/** Numbers, texts and base64url in bytes, as contrib/doc/protocol.md has them in *Sealed stores*. */

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/**
 * Return the bytes of base64url without padding.
 * @param {string} text
 * @returns {Bytes}
 */
export function decodeUrl(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/**
 * Return a view of bytes, for the numbers in them.
 * @param {Bytes} data
 */
export function viewNumbers(data) {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Return the text that bytes are in UTF-8, a mark at its beginning too. Throws a TypeError if they are none.
 * @param {Bytes} data
 */
export function decodeText(data) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
}

/**
 * Return true if bytes are the same.
 * @param {Bytes} one
 * @param {Bytes} other
 */
export function areEqual(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/**
 * Return true if there is nothing but zeros.
 * @param {Bytes} data
 */
export function isZero(data) {
  return data.every((byte) => byte === 0);
}
