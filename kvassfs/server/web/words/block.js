/** Blocks of large values: kvassfs/block.py. */

/** @import { Bytes } from "./bytes.js" */

export const BLOCK_SIZE = 256 * 1024;

/** Bytes in the hash that names a block (SHA-256). */
export const HASH_BYTES = 32;

/** Bytes of the largest value. */
export const LARGEST_SIZE = Number.MAX_SAFE_INTEGER;

/**
 * Return the hashes that are joined.
 * @param {Bytes} blocks
 * @returns {Bytes[]}
 */
export function splitHashes(blocks) {
  const hashes = [];
  for (let at = 0; at < blocks.length; at += HASH_BYTES) hashes.push(blocks.subarray(at, at + HASH_BYTES));
  return hashes;
}

/**
 * Yield the hashes that are joined, each with how often its block comes; without `counts`, once.
 * @param {Bytes} blocks
 * @param {readonly number[]} counts
 * @returns {Generator<[hash: Bytes, times: number], void, void>}
 */
export function* pairRuns(blocks, counts) {
  for (const [index, hash] of splitHashes(blocks).entries()) yield [hash, counts[index] ?? 1];
}

/**
 * Return how many blocks are listed so.
 * @param {{ blocks: Bytes, counts: readonly number[] }} listed
 */
export function countListed({ blocks, counts }) {
  return counts.length === 0 ? blocks.length / HASH_BYTES : counts.reduce((sum, times) => sum + times, 0);
}

/**
 * Return the number of blocks of a value of `size` bytes.
 * @param {number} size
 */
export function countBlocks(size) {
  return Math.ceil(size / BLOCK_SIZE);
}

/**
 * Return the number of bytes in the block with a number from 0 on.
 * @param {number} size of the value
 * @param {number} position
 */
export function measureBlock(size, position) {
  return Math.min(BLOCK_SIZE, size - position * BLOCK_SIZE);
}
