/** Numbers, texts, base64 and hashes of bytes. */

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** Bytes that become characters in one call: a call takes no more arguments. */
const AT_ONCE = 0x8000;

/**
 * Return the bytes of base64url without padding.
 * @param {string} text
 * @returns {Bytes}
 */
export function decodeUrl(text) {
  return decodeBinary(atob(text.replaceAll("-", "+").replaceAll("_", "/")));
}

/**
 * Return base64url without padding.
 * @param {Bytes} data
 */
export function encodeUrl(data) {
  return encodeBase64(data).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Return base64 with padding.
 * @param {Bytes} data
 */
export function encodeBase64(data) {
  let binary = "";
  for (let at = 0; at < data.length; at += AT_ONCE) {
    binary += String.fromCharCode(...data.subarray(at, at + AT_ONCE));
  }
  return btoa(binary);
}

/**
 * Return the bytes of base64 with padding; `null` if a text is none.
 * @param {unknown} text
 * @returns {Bytes | null}
 */
export function decodeBase64(text) {
  if (typeof text !== "string" || text.length % 4 !== 0 || /[^A-Za-z0-9+/=]/.test(text)) return null;
  try {
    return decodeBinary(atob(text));
  } catch {
    return null;
  }
}

/**
 * @param {string} binary
 * @returns {Bytes}
 */
function decodeBinary(binary) {
  const data = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) data[at] = binary.charCodeAt(at);
  return data;
}

/**
 * Return bytes as hexadecimal digits.
 * @param {Bytes} data
 */
export function encodeHex(data) {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
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
 * Return a text in UTF-8.
 * @param {string} text
 * @returns {Bytes}
 */
export function encodeText(text) {
  return new TextEncoder().encode(text);
}

/**
 * Return pieces one after another.
 * @param {Bytes[]} pieces
 * @returns {Bytes}
 */
export function joinBytes(pieces) {
  const joined = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
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

/**
 * Return the SHA-256 of bytes.
 * @param {Bytes} data
 * @returns {Promise<Bytes>}
 */
export async function hashBytes(data) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

/**
 * Return random bytes.
 * @param {number} count
 * @returns {Bytes}
 */
export function drawRandom(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}

/** @typedef {(count: number) => Bytes} Random */
