/** The storage of a replica in IndexedDB. */

import { drawRandom, encodeUrl } from "../words/bytes.js";
import { StorageError } from "./storage.js";

/** @import { Storage } from "./storage.js" */

const SCHEMA = 1;

/** The setting that says who has claimed the storage. */
const OWNER = "owner";
const OWNER_BYTES = 16;

/** @typedef {"records" | "values" | "blocks" | "settings"} StoreName */

/** Another tab has claimed the storage. */
export class StorageTaken extends StorageError {
  constructor() {
    super("Another tab has the store by now: nothing was changed here.");
  }
}

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
    return ask(begin(this.#database, ["settings"], "readonly").objectStore("settings").get(name));
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  write(name, value) {
    return write(this.#database, ["settings"], null, ({ settings }) => settings.put(value, name));
  }
}

/**
 * Open the database, in which everything is that this page keeps. Throws a StorageError.
 * @param {string} name
 * @returns {Promise<IDBDatabase>}
 */
export function openDatabase(name) {
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
 * Return the storage in a database, for whoever has claimed it last: what others write from then on fails, and changes nothing.
 *
 * A tab that another one has taken the store from may be in the middle of a change; its rows in memory are old ones by then.
 * @param {IDBDatabase} database
 * @returns {Promise<Storage>}
 */
export async function claimStorage(database) {
  const owner = encodeUrl(drawRandom(OWNER_BYTES));
  await write(database, ["settings"], null, ({ settings }) => settings.put(owner, OWNER));
  return makeStorage(database, owner);
}

/**
 * @param {IDBDatabase} database
 * @param {string} owner
 * @returns {Storage}
 */
function makeStorage(database, owner) {
  const read = (/** @type {StoreName} */ name) => begin(database, [name], "readonly").objectStore(name);
  return {
    async load() {
      const [records, blocks] = await Promise.all([ask(read("records").getAll()), ask(read("blocks").getAllKeys())]);
      return { records, blocks: blocks.map(String) };
    },
    commit: ({ record, values, dropped }) =>
      write(database, ["records", "values"], owner, (stores) => {
        stores.records.add(record);
        for (const [id, value] of values) stores.values.put(value, id);
        for (const id of dropped) stores.values.delete(id);
      }),
    rewrite: (records) =>
      write(database, ["records"], owner, (stores) => {
        stores.records.clear();
        for (const record of records) stores.records.add(record);
      }),
    readValue: async (id) => (await ask(read("values").get(id))) ?? null,
    readBlock: async (name) => (await ask(read("blocks").get(name))) ?? null,
    writeBlock: (name, data) => write(database, ["blocks"], owner, ({ blocks }) => blocks.put(data, name)),
    dropBlocks: (names) =>
      write(database, ["blocks"], owner, ({ blocks }) => {
        for (const name of names) blocks.delete(name);
      }),
  };
}

/**
 * Remove everything.
 * @param {IDBDatabase} database
 */
export function clearDatabase(database) {
  return write(database, ["records", "values", "blocks", "settings"], null, (stores) => {
    for (const store of Object.values(stores)) store.clear();
  });
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
 * Begin a transaction. Throws a StorageError where the browser has closed the database, as on a phone that was asleep.
 * @param {IDBDatabase} database
 * @param {StoreName[]} names
 * @param {IDBTransactionMode} mode
 */
function begin(database, names, mode) {
  try {
    return database.transaction(names, mode, { durability: "strict" });
  } catch {
    throw new StorageError("The browser has closed its database: load the page again.");
  }
}

/**
 * Do all that `act` asks for, or nothing; with an `owner`, only if that is who has claimed the storage last.
 * @param {IDBDatabase} database
 * @param {StoreName[]} names
 * @param {string | null} owner
 * @param {(stores: Record<StoreName, IDBObjectStore>) => void} act
 * @returns {Promise<void>}
 */
function write(database, names, owner, act) {
  return new Promise((resolve, reject) => {
    const all = names.includes("settings") ? names : [...names, /** @type {const} */ ("settings")];
    const transaction = begin(database, all, "readwrite");
    let isOwned = true;
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(isOwned ? describeStorageError(transaction.error) : new StorageTaken());
    const stores = Object.fromEntries(all.map((name) => [name, transaction.objectStore(name)]));
    const go = () => act(/** @type {Record<StoreName, IDBObjectStore>} */ (stores));
    if (owner === null) return go();
    const asked = transaction.objectStore("settings").get(OWNER);
    asked.onsuccess = () => {
      isOwned = asked.result === owner;
      if (isOwned) go();
      else transaction.abort();
    };
  });
}

/** @param {DOMException | null} error */
function describeStorageError(error) {
  if (error?.name === "QuotaExceededError") {
    return new StorageError("This browser has no room left for it: free some on this device, and try again.");
  }
  // A disk that is full is any of several errors.
  const name = error?.name ?? "no reason";
  return new StorageError(`This browser could not keep it (${name}): free some room on this device, load the page again, and try again.`);
}
