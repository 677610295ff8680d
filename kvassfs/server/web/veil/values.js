/** Sealed values, opened with the memory of a block and a list: kvassfs/veil/values.py. */

import { openBlock } from "./block_cipher.js";
import { areEqual, viewNumbers } from "../words/bytes.js";
import { Spoiled } from "./errors.js";
import { LENGTH_BYTES, LONGEST_HEAD, placeBlock, placeList } from "./layout.js";
import { splitList } from "./lists.js";

/** @import { Reference } from "./block_cipher.js" */
/** @import { Bytes } from "../words/bytes.js" */
/** @import { Head } from "./head.js" */

/**
 * Returns so many bytes of a sealed value from a start on, or fewer where there are no more. They last until the next call.
 * @typedef {(start: number, size: number) => Promise<Bytes>} Read
 */

/**
 * Return the head of a sealed value of `size` bytes, of which nothing is known yet. Throws Spoiled if it has none.
 * @param {Read} read
 * @param {number} size
 */
export async function readHead(read, size) {
  const ending = await read(Math.max(0, size - LENGTH_BYTES), LENGTH_BYTES);
  const length = ending.length < LENGTH_BYTES ? 0 : viewNumbers(ending).getUint32(0);
  if (length < 1 || length > Math.min(LONGEST_HEAD, size - LENGTH_BYTES)) throw new Spoiled("it has no head");
  const head = await read(size - LENGTH_BYTES - length, length);
  if (head.length < length) throw new Spoiled("its head is too short");
  return head;
}

/**
 * Throw Spoiled unless a sealed value of `size` bytes is as long as its head says.
 * @param {Head} head
 * @param {number} size
 */
export function checkLength(head, size) {
  const before = head.value === null ? head.layout.head : 0;
  if (before + head.length + LENGTH_BYTES !== size) throw new Spoiled("it has another length than its head says");
}

/**
 * Yield the bytes of a value, at most a block at a time, each one checked. Throws Spoiled.
 * @param {Head} head
 * @param {Read} read
 * @returns {AsyncGenerator<Bytes, void, void>}
 */
export async function* readValue(head, read) {
  if (head.value !== null) {
    yield head.value;
    return;
  }
  let number = 0;
  /** @type {Reference | null} */
  let last = null;
  let block = new Uint8Array();
  for await (const list of readLists(head, read)) {
    for (const reference of list) {
      const { start, padded, size } = placeBlock(head.layout, number);
      if (last === null || !isSame(reference, last) || block.length !== size) { // of a run, only the first one is read
        block = await openBlock(reference, await read(start, padded), size);
        last = reference;
      }
      yield block;
      number += 1;
    }
  }
}

/**
 * Yield the references in each list of a large value. A list that comes more than once is read once, in its first place.
 * @param {Head} head
 * @param {Read} read
 * @returns {AsyncGenerator<Reference[], void, void>}
 */
async function* readLists(head, read) {
  let number = 0;
  for (const { reference, times } of head.lists) {
    const { start, size } = placeList(head.layout, number);
    const references = splitList(await openBlock(reference, await read(start, size), size));
    for (let left = times; left > 0; left -= 1) yield references;
    number += times;
  }
}

/**
 * @param {Reference} one
 * @param {Reference} other
 */
function isSame(one, other) {
  return areEqual(one.hash, other.hash) && areEqual(one.key, other.key);
}
