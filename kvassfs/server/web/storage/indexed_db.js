/** The storage of a replica in IndexedDB. */

import { StorageError } from "./storage.js";

/** @import { Storage } from "./storage.js" */

const DATABASE = "kvass";
const SCHEMA = 1;

/** @typedef {"records" | "values" | "blocks" | "settings"} StoreName */

/** What settings are kept under; their values are what structured clones can hold, keys that cannot be extracted among them. */
export class Settings {
  #database;

  /** @param {IDBDatabase} database */
  constructor(database) {
    this.#database = database;
  }

  /**
   * Return the settings of a name, `undefined` if there are none.
   * @param {string} name
   * @returns {Promise<any>}
   */
  read(name) {
    return ask(this.#database.transaction("settings").objectStore("settings").get(name));
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  write(name, value) {
    return write(this.#database, ["settings"], ({ settings }) => settings.put(value, name));
  }
}

/**
 * Open the database, in which everything is that this page keeps. Throws a StorageError.
 * @param {string} [name]
 * @returns {Promise<IDBDatabase>}
 */
export function openDatabase(name = DATABASE) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, SCHEMA);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("records", { autoIncrement: true });
      for (const store of ["values", "blocks", "settings"]) request.result.createObjectStore(store);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(describeStorageError(request.error));
    request.onblocked = () => reject(new StorageError("Another tab has a newer kvass open: close it, and load this page again."));
  });
}

/**
 * @param {IDBDatabase} database
 * @returns {Storage}
 */
export function makeStorage(database) {
  const read = (/** @type {StoreName} */ name) => database.transaction(name).objectStore(name);
  return {
    async load() {
      const [records, blocks] = await Promise.all([ask(read("records").getAll()), ask(read("blocks").getAllKeys())]);
      return { records, blocks: blocks.map(String) };
    },
    commit: ({ record, values, dropped }) =>
      write(database, ["records", "values"], (stores) => {
        stores.records.add(record);
        for (const [id, value] of values) stores.values.put(value, id);
        for (const id of dropped) stores.values.delete(id);
      }),
    rewrite: (records) =>
      write(database, ["records"], (stores) => {
        stores.records.clear();
        for (const record of records) stores.records.add(record);
      }),
    readValue: async (id) => (await ask(read("values").get(id))) ?? null,
    readBlock: async (name) => (await ask(read("blocks").get(name))) ?? null,
    writeBlock: (name, data) => write(database, ["blocks"], ({ blocks }) => blocks.put(data, name)),
    dropBlocks: (names) =>
      write(database, ["blocks"], ({ blocks }) => {
        for (const name of names) blocks.delete(name);
      }),
    clear: () =>
      write(database, ["records", "values", "blocks", "settings"], (stores) => {
        for (const store of Object.values(stores)) store.clear();
      }),
  };
}

/**
 * @template Result
 * @param {IDBRequest<Result>} request
 * @returns {Promise<Result>}
 */
function ask(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(describeStorageError(request.error));
  });
}

/**
 * Do all that `act` asks for, or nothing.
 * @param {IDBDatabase} database
 * @param {StoreName[]} names
 * @param {(stores: Record<StoreName, IDBObjectStore>) => void} act
 * @returns {Promise<void>}
 */
function write(database, names, act) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(names, "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(describeStorageError(transaction.error));
    const stores = Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)]));
    act(/** @type {Record<StoreName, IDBObjectStore>} */ (stores));
  });
}

/** @param {DOMException | null} error */
function describeStorageError(error) {
  if (error?.name === "QuotaExceededError") {
    return new StorageError("This browser has no room left for it: remove something, here or elsewhere on the device, and try again.");
  }
  return new StorageError(`This browser does not keep what it is given (${error?.name ?? "no reason"}). Load the page again.`);
}
