/** How long the parts of a sealed value are: kvassfs/veil/layout.py. */

import { BLOCK_SIZE } from "../words/block.js";

/** Bytes of the largest value that stands in its head. */
export const INLINE_LIMIT = 64 * 1024;

/** References in a full list. */
export const LISTED = 4096;

/** Bytes that a list has for a block: its hash and its key. */
export const REFERENCE_BYTES = 64;

/** Bytes of the shortest body of a head. */
const SHORTEST_BODY = 256;

/** Bytes of the longest head. */
export const LONGEST_HEAD = 16 * 1024 * 1024;

/** Bytes that say how long a head is, at the end of a sealed value. */
export const LENGTH_BYTES = 4;

/** Bytes of the largest value that can be sealed. */
export const LARGEST_SEALED_SIZE = Number.MAX_SAFE_INTEGER - 2 ** 42;

/**
 * The parts of a sealed value: full blocks, bytes of the last block and what this takes at the hub, full lists, references in
 * the last list, the number of all lists, and where lists, rest, last list and head begin.
 * @typedef {{
 *   size: number, blocks: number, last: number, padded: number, lists: number, left: number,
 *   allLists: number, firstList: number, rest: number, lastList: number, head: number,
 * }} Layout
 */

/**
 * Return the parts of a sealed value of `size` bytes.
 * @param {number} size
 * @returns {Layout}
 */
export function layOut(size) {
  const isShort = size <= INLINE_LIMIT;
  const blocks = isShort ? 0 : Math.floor(size / BLOCK_SIZE);
  const last = isShort ? 0 : size % BLOCK_SIZE;
  const references = blocks + (last > 0 ? 1 : 0);
  const lists = Math.floor(references / LISTED);
  const left = references % LISTED;
  const padded = last > 0 ? Math.min(BLOCK_SIZE, last + padLength(size) - size) : 0;
  const firstList = blocks * BLOCK_SIZE;
  const rest = firstList + lists * BLOCK_SIZE;
  const lastList = rest + padded;
  const head = lastList + left * REFERENCE_BYTES;
  const allLists = lists + (left > 0 ? 1 : 0);
  return { size, blocks, last, padded, lists, left, allLists, firstList, rest, lastList, head };
}

/**
 * Return where the list with a number from 0 on begins, and its length.
 * @param {Layout} layout
 * @param {number} number
 */
export function placeList(layout, number) {
  return number < layout.lists
    ? { start: layout.firstList + number * BLOCK_SIZE, size: BLOCK_SIZE }
    : { start: layout.lastList, size: layout.left * REFERENCE_BYTES };
}

/**
 * Return where the block with a number from 0 on begins, its length there, and its length in the value.
 * @param {Layout} layout
 * @param {number} number
 */
export function placeBlock(layout, number) {
  return number < layout.blocks
    ? { start: number * BLOCK_SIZE, padded: BLOCK_SIZE, size: BLOCK_SIZE }
    : { start: layout.rest, padded: layout.padded, size: layout.last };
}

/**
 * Return the length to which so many bytes are padded: Padmé.
 * @param {number} length
 */
export function padLength(length) {
  if (length < 2) return length;
  const exponent = countBits(length) - 1;
  const step = 2 ** (exponent - countBits(exponent));
  const over = length % step;
  return over === 0 ? length : length - over + step;
}

/** @param {number} number */
function countBits(number) {
  return number === 0 ? 0 : number.toString(2).length; // exact, which a logarithm is not
}

/**
 * Return the length to which the body of a head is padded.
 * @param {number} length
 */
export function padBody(length) {
  return length <= SHORTEST_BODY ? SHORTEST_BODY : padLength(length);
}
