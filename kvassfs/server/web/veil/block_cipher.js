/** The cipher of blocks and of lists, with what authenticates them: kvassfs/veil/block_cipher.py. */

import { HASH_BYTES } from "../words/block.js";
import { areEqual, isZero } from "../words/bytes.js";
import { Spoiled } from "./errors.js";

/** @import { Bytes } from "../words/bytes.js" */

/**
 * What opens a block or list, and tells whether it is the right one.
 * @typedef {{ hash: Bytes, key: Bytes }} Reference
 */

/**
 * Return the reference that stands in a list or head.
 * @param {Bytes} data
 * @returns {Reference}
 */
export function splitReference(data) {
  return { hash: data.subarray(0, HASH_BYTES), key: data.subarray(HASH_BYTES) };
}

/**
 * Return the `size` bytes of a block or list that the hub has with its padding. Throws Spoiled if it is another one.
 * @param {Reference} reference
 * @param {Bytes} sealed
 * @param {number} size
 * @returns {Promise<Bytes>}
 */
export async function openBlock(reference, sealed, size) {
  const key = await crypto.subtle.importKey("raw", reference.key, "AES-CTR", false, ["decrypt"]);
  const stream = { name: "AES-CTR", counter: new Uint8Array(16), length: 128 };
  const data = new Uint8Array(await crypto.subtle.decrypt(stream, key, sealed));
  const block = data.subarray(0, size);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", block));
  if (block.length !== size || !areEqual(hash, reference.hash)) {
    throw new Spoiled("a block is missing, or is not the one that it was");
  }
  if (!isZero(data.subarray(size))) throw new Spoiled("a block is followed by something else than zeros");
  return block;
}
