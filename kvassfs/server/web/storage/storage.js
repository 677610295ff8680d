/** Where a replica is kept, and the way of it that is in memory alone, for tests. */

import { KvassError } from "../words/errors.js";

/** @import { Bytes } from "../words/bytes.js" */

/**
 * What is written together: a record at the end of the others, whole values by their numbers, and numbers of values that go.
 * @typedef {{ record: Bytes, values: ReadonlyMap<number, Bytes>, dropped: ReadonlySet<number> }} Commit
 */

/**
 * Keeps records, whole values and blocks. Blocks are named by their hashes in base64url.
 *
 * - `load` returns all records in their order, and the names of all blocks.
 * - `commit` writes all of a commit or nothing; `rewrite` puts other records in the place of all, likewise.
 * All may reject with a StorageError; then nothing has changed.
 * @typedef {{
 *   load(): Promise<{ records: Bytes[], blocks: string[] }>,
 *   commit(commit: Commit): Promise<void>,
 *   rewrite(records: Bytes[]): Promise<void>,
 *   readValue(id: number): Promise<Bytes | null>,
 *   readBlock(name: string): Promise<Bytes | null>,
 *   writeBlock(name: string, data: Bytes): Promise<void>,
 *   dropBlocks(names: readonly string[]): Promise<void>,
 * }} Storage
 */

/** The browser does not keep what it is given. */
export class StorageError extends KvassError {}

/** @returns {Storage} */
export function makeMemoryStorage() {
  /** @type {Bytes[]} */
  let records = [];
  /** @type {Map<number, Bytes>} */
  const values = new Map();
  /** @type {Map<string, Bytes>} */
  const blocks = new Map();
  return {
    load: async () => ({ records: [...records], blocks: [...blocks.keys()] }),
    async commit(commit) {
      records.push(commit.record);
      for (const [id, value] of commit.values) values.set(id, value);
      for (const id of commit.dropped) values.delete(id);
    },
    async rewrite(others) {
      records = others;
    },
    readValue: async (id) => values.get(id) ?? null,
    readBlock: async (name) => blocks.get(name) ?? null,
    async writeBlock(name, data) {
      blocks.set(name, data);
    },
    async dropBlocks(names) {
      for (const name of names) blocks.delete(name);
    },
  };
}
