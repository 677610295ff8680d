/** The cipher of blocks and of lists, as devices use it: kvassfs/veil/block_cipher.py. */

import { hashBytes, joinBytes } from "../words/bytes.js";
import { computeMac } from "./keys.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Reference } from "./block_cipher.js" */
/** @import { VeilKeys } from "./keys.js" */

/**
 * Return the reference to the block or list with a hash.
 * @param {VeilKeys} keys
 * @param {Bytes} hash
 * @returns {Promise<Reference>}
 */
export async function refer(keys, hash) {
  return { hash, key: await computeMac(keys.blocks, hash) };
}

/**
 * Return a block as the hub has it; `hash` is its hash.
 * @param {VeilKeys} keys
 * @param {Bytes} block
 * @param {Bytes} hash
 */
export async function sealBlock(keys, block, hash) {
  return applyStream(await refer(keys, hash), block);
}

/**
 * Return the hash of a full block as the hub has it, which is to be kept: computing it takes as long as sealing it.
 * @param {VeilKeys} keys
 * @param {Bytes} block
 * @param {Bytes} hash
 */
export async function computeSealedHash(keys, block, hash) {
  return hashBytes(await sealBlock(keys, block, hash));
}

/**
 * Return the last block of a value as the hub has it, with zeros up to `padded` bytes.
 * @param {VeilKeys} keys
 * @param {Bytes} block
 * @param {number} padded
 */
export async function sealLast(keys, block, padded) {
  const filled = joinBytes([block, new Uint8Array(padded - block.length)]);
  return applyStream(await refer(keys, await hashBytes(block)), filled);
}

/**
 * Return data encrypted under the key of a block or list.
 * @param {Reference} reference
 * @param {Bytes} data
 * @returns {Promise<Bytes>}
 */
export async function applyStream({ key }, data) {
  const imported = await crypto.subtle.importKey("raw", key, "AES-CTR", false, ["encrypt"]);
  const stream = { name: "AES-CTR", counter: new Uint8Array(16), length: 128 };
  return new Uint8Array(await crypto.subtle.encrypt(stream, imported, data));
}
