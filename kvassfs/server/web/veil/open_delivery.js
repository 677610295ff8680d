/** Entries on their way from a hub that cannot read, opened and checked: kvassfs/veil/deliveries.py. */

import { BLOCK_SIZE, countBlocks, countListed, HASH_BYTES, measureBlock, pairRuns } from "../words/block.js";
import { encodeHex, joinBytes } from "../words/bytes.js";
import { checkNumbers } from "../words/entry_fields.js";
import { InvalidMessage } from "../words/errors.js";
import { isEcho, parseRecord, RESERVED } from "../words/share_link.js";
import { openBlock } from "./block_cipher.js";
import { Forged, NotSealed, PartMissing } from "./device_errors.js";
import { Spoiled, VeilError } from "./errors.js";
import { isName, isOuterToken } from "./keys.js";
import { layOut, placeBlock, placeList } from "./layout.js";
import { findUnwrapped, isProven } from "./links.js";
import { splitList } from "./lists.js";
import { openHead } from "./open_head.js";
import { refer } from "./seal_block.js";
import { joinHashes } from "./seal_delivery.js";
import { checkLength, readHead, readValue } from "./values.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Delivery, Entry } from "../words/entry.js" */
/** @import { ShareLink } from "../words/share_link.js" */
/** @import { Head } from "./head.js" */
/** @import { Outside, VeilKeys } from "./keys.js" */
/** @import { Run } from "./seal_lists.js" */
/** @import { Read } from "./values.js" */

/**
 * Returns the block with a hash as the hub has it; empty if it has none.
 * @typedef {(hash: Bytes) => Promise<Bytes>} Fetch
 */

/**
 * An entry as the hub has it, and as this store merges it.
 * @typedef {{ sealed: Delivery, plain: Delivery }} Opened
 */

/**
 * An entry of the hub that is not merged, by its name there, and why.
 * @typedef {{ name: string, error: VeilError }} Refused
 */

/**
 * Where a block is to be had: `size` bytes under `hash` here, `padded` ones of the block `sealed` at the hub.
 * @typedef {{ hash: Bytes, size: number, sealed: Bytes, padded: number }} Source
 */

/** Entries that are opened at once: while one waits for the ciphers of the browser, the next ones are begun. */
const OPENED_AT_ONCE = 64;

/**
 * Return an entry of the hub as this store merges it, once everything about it was checked but the blocks of a large value. Its sequence
 * is 0: what the hub counts moves the cursor alone. Of a value in blocks `fetch` is asked for what has its head and lists. Throws NotSealed,
 * NewerForm, Forged or Spoiled where it is not to be merged, PartMissing where not as long as a block is missing.
 * @param {VeilKeys} keys
 * @param {Delivery} delivery
 * @param {Fetch} fetch
 * @returns {Promise<Delivery>}
 */
export async function openDelivery(keys, delivery, fetch) {
  const { entry, value } = delivery;
  checkOuterNumbers(entry);
  if (entry.key.startsWith(RESERVED)) return openReserved(keys, delivery);
  const outside = findOutside(entry);
  const read = value === null ? readBlocks(delivery, fetch) : readWhole(value);
  const head = await openHead(keys, outside, await readHead(read, entry.size));
  checkLength(head, entry.size);
  if (value === null && head.value === null) {
    return { entry: head.entry, sequence: 0, value: null, ...joinHashes(await listRuns(head, read)) };
  }
  return makePlain(head.entry, head.value?.slice() ?? (await joinValue(head, read))); // not all of the head with it
}

/**
 * @param {Entry} entry
 * @param {Bytes} value
 * @returns {Delivery}
 */
function makePlain(entry, value) {
  return { entry, sequence: 0, value, blocks: new Uint8Array(), counts: [] };
}

/**
 * Return the entries of a page, opened, and those that are refused: one that is wrong holds up no other.
 * @param {VeilKeys} keys
 * @param {Delivery[]} deliveries
 * @param {Fetch} fetch
 * @returns {Promise<{ opened: Opened[], refused: Refused[] }>}
 */
export async function openPage(keys, deliveries, fetch) {
  /** @type {(Opened | Refused)[]} */
  const found = [];
  while (found.length < deliveries.length) {
    const some = takeSome(deliveries, found.length);
    found.push(...(await Promise.all(some.map((each) => tryOpen(keys, each, fetch)))));
  }
  return { opened: found.filter((each) => "plain" in each), refused: found.filter((each) => "error" in each) };
}

/**
 * Return the next entries that are opened at once: several with their values, or one whose value is in blocks.
 * @param {Delivery[]} deliveries
 * @param {number} start
 */
function takeSome(deliveries, start) {
  const end = deliveries.findIndex(({ value }, at) => at > start && value === null);
  const count = deliveries[start]?.value === null ? 1 : OPENED_AT_ONCE;
  return deliveries.slice(start, Math.min(start + count, end < 0 ? deliveries.length : end));
}

/**
 * @param {VeilKeys} keys
 * @param {Delivery} sealed
 * @param {Fetch} fetch
 * @returns {Promise<Opened | Refused>}
 */
async function tryOpen(keys, sealed, fetch) {
  try {
    return { sealed, plain: await openDelivery(keys, sealed, fetch) };
  } catch (error) {
    if (error instanceof VeilError) return { name: sealed.entry.key, error };
    throw error;
  }
}

/**
 * Return those of the live links of a key whose holders cannot open an entry of the hub, and should. Throws VeilError if it cannot be
 * opened at all.
 * @param {VeilKeys} keys
 * @param {Delivery} delivery
 * @param {ShareLink[]} links
 * @param {Fetch} fetch
 */
export async function findMissingWraps(keys, delivery, links, fetch) {
  const { entry, value } = delivery;
  const read = value === null ? readBlocks(delivery, fetch) : readWhole(value);
  const head = await readHead(read, entry.size);
  return findUnwrapped(keys, links, await openHead(keys, findOutside(entry), head));
}

/**
 * Return what an entry of the hub shows of a version. Throws NotSealed if it is none of a sealed store.
 * @param {Entry} entry
 * @returns {Outside}
 */
function findOutside({ key, urlToken, timestamp, processId, ...rest }) {
  if (!isName(key)) throw new NotSealed("its key is in the clear");
  if (!isOuterToken(urlToken)) throw new NotSealed("its token is none of a sealed store");
  if (rest.mode !== null || rest.modTime !== null || rest.seen !== null || rest.origin !== null) {
    throw new NotSealed("mode or times are in the clear");
  }
  return { name: key, token: urlToken, timestamp, processId };
}

/** @param {Entry} entry */
function checkOuterNumbers({ key, timestamp, processId, counter }) {
  try {
    checkNumbers(key, timestamp, processId, counter, counter);
  } catch (error) {
    throw error instanceof InvalidMessage ? new Spoiled("its numbers are out of range") : error;
  }
}

/**
 * Return an echo, or the record of a link or of its end, whose terms a device has made; its counter says nothing.
 * @param {VeilKeys} keys
 * @param {Delivery} delivery
 */
async function openReserved(keys, delivery) {
  const { entry, value } = delivery;
  if (isEcho(entry.key)) return delivery;
  if (parseRecord(entry.key) === null) throw new NotSealed("its key is in the clear");
  if (!(await isProven(keys, entry.key))) throw new Forged();
  if (value === null || value.length > 0) throw new NotSealed("it is a link with a value");
  return makePlain({ ...entry, counter: 0 }, value);
}

/**
 * @param {Bytes} sealed
 * @returns {Read}
 */
function readWhole(sealed) {
  return async (start, size) => sealed.subarray(start, start + size);
}

/**
 * Return what reads the sealed value that a hub has in blocks; it keeps the last block.
 * @param {Delivery} delivery
 * @param {Fetch} fetch
 * @returns {Read}
 */
function readBlocks(delivery, fetch) {
  const { size } = delivery.entry;
  const find = findHubBlocks(delivery);
  let kept = -1;
  let block = new Uint8Array();
  /** @param {number} position */
  const readOne = async (position) => {
    if (position === kept) return block;
    const fetched = await fetch(find(position));
    if (fetched.length === 0) throw new PartMissing();
    if (fetched.length !== measureBlock(size, position)) throw new Spoiled("a block has another length");
    [kept, block] = [position, fetched];
    return fetched;
  };
  return async (start, length) => {
    const stop = Math.min(start + length, size);
    const pieces = [];
    for (let position = Math.floor(start / BLOCK_SIZE); position < countBlocks(stop); position += 1) {
      const first = position * BLOCK_SIZE;
      pieces.push((await readOne(position)).subarray(Math.max(0, start - first), stop - first));
    }
    return joinBytes(pieces);
  };
}

/**
 * Return what finds the hash of the block that a large value has at a position of the hub. Throws Spoiled if there are more or fewer
 * than its size makes.
 * @param {Delivery} delivery
 * @returns {(position: number) => Bytes}
 */
function findHubBlocks({ entry, blocks, counts }) {
  if (countListed({ blocks, counts }) !== countBlocks(entry.size)) throw new Spoiled("it has more or fewer blocks than its size makes");
  let end = 0;
  const ends = counts.map((times) => (end += times));
  return (position) => {
    const index = ends.length === 0 ? position : findAbove(ends, position);
    return blocks.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  };
}

/**
 * Return the index of the first of sorted numbers that is greater.
 * @param {number[]} numbers
 * @param {number} number
 */
function findAbove(numbers, number) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) > number) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Return the hashes of the blocks of a large value. A list that comes more than once is read once, in its first place.
 * @param {Head} head
 * @param {Read} read
 */
async function listRuns(head, read) {
  /** @type {Run[]} */
  const runs = [];
  let number = 0;
  for (const { reference, times } of head.lists) {
    const { start, size } = placeList(head.layout, number);
    const list = await openBlock(reference, await read(start, size), size);
    const found = listHashes(list);
    const [first, ...others] = found;
    if (first !== undefined && others.length === 0) runs.push([first[0], first[1] * times]); // of a hole
    else for (let left = times; left > 0; left -= 1) runs.push(...found);
    number += times;
  }
  return runs;
}

/**
 * Return the hashes in a list, those that are equal and follow each other once.
 * @param {Bytes} list
 * @returns {Run[]}
 */
function listHashes(list) {
  /** @type {Run[]} */
  const hashes = splitList(list).map(({ hash }) => [hash, 1]);
  const { blocks, counts } = joinHashes(hashes);
  return [...pairRuns(blocks, counts)];
}

/**
 * @param {Head} head
 * @param {Read} read
 */
async function joinValue(head, read) {
  const pieces = [];
  for await (const piece of readValue(head, read)) pieces.push(piece);
  return joinBytes(pieces);
}

/**
 * Yield where the hub has those blocks of a large value that are `wanted`, by their hashes in hexadecimal digits, each once.
 * @param {Opened} opened
 * @param {ReadonlySet<string>} wanted
 * @returns {Generator<Source, void, void>}
 */
export function* findSources({ sealed, plain }, wanted) {
  const find = findHubBlocks(sealed);
  const layout = layOut(plain.entry.size);
  const left = new Set(wanted);
  let position = 0;
  for (const [hash, times] of pairRuns(plain.blocks, plain.counts)) {
    if (left.delete(encodeHex(hash))) {
      const { start, padded, size } = placeBlock(layout, position);
      yield { hash, size, sealed: find(Math.floor(start / BLOCK_SIZE)), padded };
    }
    position += times;
  }
}

/**
 * Return a block that was fetched from the hub, without its padding. Throws PartMissing if the hub has none, Spoiled if it is another one.
 * @param {VeilKeys} keys
 * @param {Source} source
 * @param {Bytes} sealed
 */
export async function openSource(keys, source, sealed) {
  if (sealed.length === 0) throw new PartMissing();
  return (await openBlock(await refer(keys, source.hash), sealed.subarray(0, source.padded), source.size)).slice();
}
