/** What is written of the changes of a replica: JSON, as short as it can be, since all of it is read at the start. */

import { decodeBase64, decodeText, encodeBase64, encodeText } from "../words/bytes.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Entry } from "../words/entry.js" */
/** @import { Content, Facts, Kept, Row, Source } from "./rows.js" */

/**
 * Changes that are made together: facts, rows by their keys, and all earlier versions of keys.
 * @typedef {{ facts: Facts, rows: Iterable<Row>, kept: Iterable<[key: string, list: readonly Kept[]]> }} Changes
 */

/**
 * Return changes as bytes.
 * @param {Changes} changes
 */
export function encodeChanges({ facts, rows, kept }) {
  return encodeText(
    JSON.stringify({
      facts,
      rows: Array.from(rows, packRow),
      kept: Array.from(kept, ([key, list]) => [key, list.map(packKept)]),
    }),
  );
}

/**
 * Return the changes that `encodeChanges` has made bytes of.
 * @param {Bytes} data
 * @returns {Changes}
 */
export function decodeChanges(data) {
  const { facts, rows, kept } = JSON.parse(decodeText(data));
  return {
    facts,
    rows: rows.map(unpackRow),
    kept: kept.map((/** @type {[string, unknown[][]]} */ [key, list]) => [key, list.map(unpackKept)]),
  };
}

/** @param {Entry} entry */
function packEntry(entry) {
  const { key, timestamp, counter, processId, urlToken, size, mode, modTime, seen, origin } = entry;
  return [key, timestamp, counter, processId, urlToken, size, mode, modTime === null ? null : String(modTime), seen, origin];
}

/**
 * @param {any[]} packed
 * @returns {Entry}
 */
function unpackEntry([key, timestamp, counter, processId, urlToken, size, mode, modTime, seen, origin]) {
  return {
    ...{ key, timestamp, counter, processId, urlToken, size, mode, seen, origin },
    modTime: modTime === null ? null : BigInt(modTime),
  };
}

/** @param {Content | null} content */
function packContent(content) {
  if (content === null) return null;
  const { id, blocks, counts, source } = content;
  const there = source === null ? null : [source.size, encodeBase64(source.blocks), source.counts];
  return [id, encodeBase64(blocks), counts, there];
}

/**
 * @param {any} packed
 * @returns {Content | null}
 */
function unpackContent(packed) {
  if (packed === null) return null;
  const [id, blocks, counts, there] = packed;
  const source = there === null ? null : { size: there[0], blocks: unpackBytes(there[1]), counts: there[2] };
  return new StoredContent(id, blocks, counts, source);
}

/** A value as it is read at the start: hashes are made bytes when somebody asks for them, as that takes longer than all else. */
class StoredContent {
  #text;
  /** @type {Bytes | null} */
  #blocks = null;

  /**
   * @param {number | null} id
   * @param {string} text
   * @param {readonly number[]} counts
   * @param {Source | null} source
   */
  constructor(id, text, counts, source) {
    this.id = id;
    this.#text = text;
    this.counts = counts;
    this.source = source;
  }

  get blocks() {
    this.#blocks ??= unpackBytes(this.#text);
    return this.#blocks;
  }
}

/** @param {unknown} text */
function unpackBytes(text) {
  return decodeBase64(text) ?? new Uint8Array();
}

/** @param {Row} row */
function packRow({ entry, content, sequence, shown, isDirty, floor }) {
  return [packEntry(entry), packContent(content), sequence, shown, isDirty ? 1 : 0, floor];
}

/**
 * @param {any[]} packed
 * @returns {Row}
 */
function unpackRow([entry, content, sequence, shown, isDirty, floor]) {
  return { entry: unpackEntry(entry), content: unpackContent(content), sequence, shown, isDirty: isDirty === 1, floor };
}

/** @param {Kept} kept */
function packKept({ entry, content, replaced, number, sequence, became, winner, met }) {
  return [packEntry(entry), packContent(content), replaced, number, sequence, became, winner, met];
}

/**
 * @param {any[]} packed
 * @returns {Kept}
 */
function unpackKept([entry, content, replaced, number, sequence, became, winner, met]) {
  return { entry: unpackEntry(entry), content: unpackContent(content), ...{ replaced, number, sequence, became, winner, met } };
}
