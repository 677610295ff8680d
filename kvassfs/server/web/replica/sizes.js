/** How values are cut up, how much goes into a message, and what is kept: kvassfs/store/sizes.py, kvassfs/sync/limits.py. */

import { BLOCK_SIZE } from "../words/block.js";

/**
 * `block`: bytes in a block of a large value. `whole`: bytes of the largest value that travels in its entry, and is kept whole.
 * `page`: bytes of a message of entries; `pageBlocks`: blocks in a message. `revisions` are kept of each key, for `keptTime` µs.
 * @typedef {{
 *   block: number, whole: number, page: number, pageBlocks: number, revisions: number, keptTime: number,
 * }} Sizes
 */

const DAY = 24 * 3600 * 1_000_000;

/** @type {Sizes} */
export const SIZES = {
  block: BLOCK_SIZE,
  whole: 1024 * 1024,
  page: 1024 * 1024,
  pageBlocks: 4,
  revisions: 10,
  keptTime: 30 * DAY,
};
