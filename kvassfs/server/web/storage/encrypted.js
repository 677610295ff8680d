/** A storage in which records, values and blocks are encrypted. Their number and sizes, and the hashes of blocks, are not hidden. */

import { Seal } from "../messages/seal.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Storage } from "./storage.js" */

/**
 * Return a storage that keeps everything encrypted in another one.
 * @param {Storage} inner
 * @param {CryptoKey} key of AES-GCM
 * @returns {Storage}
 */
export function encryptStorage(inner, key) {
  const seal = new Seal(key);
  const open = async (/** @type {Bytes | null} */ data) => (data === null ? null : seal.unseal(data));
  return {
    async load() {
      const { records, blocks } = await inner.load();
      return { records: await Promise.all(records.map((record) => seal.unseal(record))), blocks };
    },
    async commit({ record, values, dropped }) {
      const sealed = await Promise.all(Array.from(values, async ([id, value]) => /** @type {const} */ ([id, await seal.seal(value)])));
      await inner.commit({ record: await seal.seal(record), values: new Map(sealed), dropped });
    },
    rewrite: async (records) => inner.rewrite(await Promise.all(records.map((record) => seal.seal(record)))),
    readValue: async (id) => open(await inner.readValue(id)),
    readBlock: async (name) => open(await inner.readBlock(name)),
    writeBlock: async (name, data) => inner.writeBlock(name, await seal.seal(data)),
    dropBlocks: (names) => inner.dropBlocks(names),
  };
}
