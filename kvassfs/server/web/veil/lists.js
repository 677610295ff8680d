/** The lists of the blocks of a large value: kvassfs/veil/lists.py. */

import { splitReference } from "./block_cipher.js";
import { viewNumbers } from "../words/bytes.js";
import { Spoiled } from "./errors.js";
import { REFERENCE_BYTES } from "./layout.js";

/** @import { Reference } from "./block_cipher.js" */
/** @import { Bytes } from "../words/bytes.js" */

/**
 * A list that stands in a value `times` one after another.
 * @typedef {{ reference: Reference, times: number }} ListRun
 */

export const TIMES_BYTES = 4;

/** Bytes that the head has for a list, or a run of equal ones. */
export const RUN_BYTES = TIMES_BYTES + REFERENCE_BYTES;

/**
 * Return the references of a list.
 * @param {Bytes} list
 * @returns {Reference[]}
 */
export function splitList(list) {
  const references = [];
  for (let at = 0; at < list.length; at += REFERENCE_BYTES) {
    references.push(splitReference(list.subarray(at, at + REFERENCE_BYTES)));
  }
  return references;
}

/**
 * Return the runs at the beginning of the content of a head that make up so many lists. Throws Spoiled if there are none.
 * @param {Bytes} content
 * @param {number} lists
 * @returns {ListRun[]}
 */
export function unpackRuns(content, lists) {
  const runs = [];
  for (let at = 0, left = lists; left > 0; at += RUN_BYTES) {
    const run = content.subarray(at, at + RUN_BYTES);
    const times = run.length < RUN_BYTES ? 0 : viewNumbers(run).getUint32(0);
    if (times < 1 || times > left) throw new Spoiled("the lists of its blocks do not fit its size");
    runs.push({ reference: splitReference(run.subarray(TIMES_BYTES)), times });
    left -= times;
  }
  return runs;
}
