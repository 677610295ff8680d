/** Sealing of message bodies with AES-256-GCM: kvassfs/sync/seal.py. */

import { drawRandom, encodeHex, hashBytes, joinBytes } from "../words/bytes.js";
import { Undecipherable } from "../words/errors.js";

/** @import { Bytes, Random } from "../words/bytes.js" */

const BODY_NONCE_BYTES = 12;
const BODY_TAG_BYTES = 16;

/** Seals and opens bodies under the AES-GCM `key`. */
export class Seal {
  /** @type {CryptoKey} */
  #key;

  /** @type {Random} */
  #random;

  /**
   * @param {CryptoKey} key
   * @param {Random} [random]
   */
  constructor(key, random = drawRandom) {
    this.#key = key;
    this.#random = random;
  }

  /**
   * Return the sealed body of a plaintext.
   * @param {Bytes} plaintext
   */
  async seal(plaintext) {
    const iv = this.#random(BODY_NONCE_BYTES);
    return joinBytes([iv, new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.#key, plaintext))]);
  }

  /**
   * Return the plaintext of a sealed body. Throws Undecipherable.
   * @param {Bytes} body
   * @returns {Promise<Bytes>}
   */
  async unseal(body) {
    if (body.length < BODY_NONCE_BYTES + BODY_TAG_BYTES) throw new Undecipherable();
    const options = { name: "AES-GCM", iv: body.subarray(0, BODY_NONCE_BYTES) };
    try {
      return new Uint8Array(await crypto.subtle.decrypt(options, this.#key, body.subarray(BODY_NONCE_BYTES)));
    } catch (error) {
      throw error instanceof DOMException && error.name === "OperationError" ? new Undecipherable() : error;
    }
  }
}

/**
 * Return the key that 32 bytes are, for a `Seal`; nobody can read it out.
 * @param {Bytes} key
 */
export async function importSealKey(key) {
  return crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/**
 * Return what tells a sealed body from all others at no cost, its nonce and tag; it names a request of version 3 in the response.
 * @param {Bytes} body
 */
export function computeMark(body) {
  return encodeHex(joinBytes([body.subarray(0, BODY_NONCE_BYTES), body.subarray(-BODY_TAG_BYTES)]));
}

/**
 * Return what names a request of version 2 in the response: the SHA-256 of its sealed body.
 * @param {Bytes} body
 */
export async function computeDigest(body) {
  return encodeHex(await hashBytes(body));
}
