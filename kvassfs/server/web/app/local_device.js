/** The store of this browser: pairs it, opens it in one tab at a time, keeps it in step with its hub, and forgets it. */

import { importSealKey } from "../messages/seal.js";
import { receiveHandover } from "../pairing/joiner.js";
import { reachMailboxes } from "../pairing/post.js";
import { makePost } from "../remote/post.js";
import { Replica } from "../replica/replica.js";
import { encryptStorage } from "../storage/encrypted.js";
import { claimStorage, clearDatabase, openDatabase, Settings } from "../storage/indexed_db.js";
import { lockSecrets, unlockSecrets } from "../storage/passphrase.js";
import { HubUnreachable } from "../sync/errors.js";
import { Follower } from "../sync/follower.js";
import { Synchroniser } from "../sync/synchroniser.js";
import { BLOCK_SIZE } from "../words/block.js";
import { drawRandom } from "../words/bytes.js";
import { deriveVeilKeys } from "../veil/keys.js";
import { DeviceError } from "./device.js";
import { DeviceStore } from "./device_store.js";
import { nameDevice } from "./items.js";

/** @import { LockedSecrets, Secrets } from "../storage/passphrase.js" */
/** @import { StoreKeys } from "../sync/synchroniser.js" */
/** @import { Standing } from "../sync/follower.js" */
/** @import { Device, Status } from "./device.js" */

/**
 * What is kept of the device beside its store: keys that nobody can read out, that of the storage `null` where that is not encrypted; or
 * the secrets that they are made of, under a passphrase.
 * @typedef {{ keys: StoreKeys, storageKey: CryptoKey | null } | { locked: LockedSecrets }} Identity
 */

/** ms between two calls of listeners. */
const TELLING_INTERVAL = 100;

const IDENTITY = "identity";

/** The clocks of a browser, in µs. */
const machine = {
  now: () => Math.floor(Date.now() * 1000),
  uptime: () => Math.floor(performance.now() * 1000),
};

/** @typedef {{ keys: StoreKeys, storageKey: CryptoKey | null }} OpenedKeys */

/** Bytes of the key of a storage. */
const STORAGE_KEY_BYTES = 32;

/**
 * Return the keys that follow from secrets, whose bytes are overwritten. An empty storage key is none.
 * @param {Secrets} secrets
 * @returns {Promise<OpenedKeys>}
 */
async function importKeys({ key, sealed, storage }) {
  const veil = sealed ? await deriveVeilKeys(key) : null;
  const messages = veil === null ? await importSealKey(key) : veil.access;
  const storageKey = storage.length === 0 ? null : await importSealKey(storage);
  key.fill(0);
  storage.fill(0);
  return { keys: { messages, veil }, storageKey };
}

/** @implements {Device} */
export class LocalDevice extends DeviceStore {
  /** @type {Status} */
  status = {
    ...{ stage: "opening", hub: "busy", failure: "", unsent: 0, done: 0, total: 0, unit: "entries", keys: 0 },
    ...{ isPersistent: null, name: "", hubName: "", isSealed: false, hasPassphrase: false, refused: [] },
  };

  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {ReturnType<typeof setTimeout> | null} */
  #telling = null;
  /** @type {IDBDatabase | null} */
  #database = null;
  /** @type {Settings | null} */
  #settings = null;
  /** @type {Replica | null} */
  #replica = null;
  /** @type {Follower | null} */
  #follower = null;
  #lockName;
  #hub;
  #ending = new AbortController();
  /** @type {Promise<void> | null} */
  #opening = null;

  /** @param {string} hub the address below which the calls of the hub are; it ends in `/` */
  constructor(hub) {
    super();
    this.#hub = hub;
    this.#lockName = `kvass-store ${hub}`;
  }

  /** Open the store that this browser has, if it has one and no other tab has it open. */
  async start() {
    const database = await openDatabase(`kvass ${this.#hub}`);
    this.#database = database;
    database.onclose = () => this.fail(new DeviceError("The browser has closed its database: load the page again."));
    database.onversionchange = () => database.close(); // another tab has a newer page
    this.#settings = new Settings(database);
    addEventListener("online", () => this.#follower?.wake());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#follower?.wake());
    await this.#enter(false);
  }

  /**
   * Take the store for this tab, where no other one has it; or take it from that.
   * @param {boolean} steal
   */
  async #enter(steal) {
    if (!(await this.#acquire(steal))) {
      this.#set({ stage: "elsewhere" });
      return;
    }
    this.#set({ stage: "opening" });
    const identity = await this.#readIdentity();
    if (identity === null) this.#set({ stage: "none" });
    else if ("locked" in identity) this.#set({ stage: "locked", hasPassphrase: true });
    else await this.#open(identity);
  }

  /** @returns {Promise<Identity | null>} */
  async #readIdentity() {
    return (await this.#require(this.#settings).read(IDENTITY)) ?? null;
  }

  /**
   * Return true once this tab has the store; it has it until it is closed, or another one takes it.
   * @param {boolean} steal
   * @returns {Promise<boolean>}
   */
  #acquire(steal) {
    return new Promise((resolve) => {
      const options = steal ? { steal } : { ifAvailable: true };
      const held = navigator.locks.request(this.#lockName, options, (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise(() => undefined);
      });
      held.catch(() => this.#close("elsewhere")); // it was stolen
    });
  }

  /**
   * Open the store, once.
   * @param {OpenedKeys} opened
   */
  async #open(opened) {
    this.#opening ??= this.#openWith(opened);
    try {
      await this.#opening;
    } catch (error) {
      this.#opening = null;
      throw error;
    }
  }

  /** @param {OpenedKeys} opened */
  async #openWith({ keys, storageKey }) {
    const isSealed = keys.veil !== null;
    const inner = await claimStorage(this.#require(this.#database));
    const storage = storageKey === null ? inner : encryptStorage(inner, storageKey);
    const replica = new Replica({ storage, machine, random: drawRandom, isSealed });
    await replica.load();
    if (this.status.stage === "elsewhere") return; // it was taken while it was read
    this.#replica = replica;
    replica.onChange(() => this.#tell());
    this.#ending = new AbortController();
    const post = makePost(this.#hub, this.#ending.signal);
    const reports = {
      pulled: (/** @type {number} */ done, /** @type {number} */ total) => this.#noteMoved(done, total, "entries"),
      sent: (/** @type {number} */ done, /** @type {number} */ total) => this.#noteMoved(done * BLOCK_SIZE, total * BLOCK_SIZE, "bytes"),
    };
    const make = () => new Synchroniser(replica, post, keys, drawRandom, reports);
    const follower = new Follower(replica, make, (standing) => this.#noteStanding(standing));
    this.#follower = follower;
    this.openStore({ replica, keys, synchroniser: () => follower.synchroniser, hub: this.#hub });
    this.#set({ stage: "open", isPersistent: (await navigator.storage?.persisted?.()) ?? null });
    follower.start();
    await replica.expire();
  }

  /**
   * Close the store; once that is done, nothing changes any more.
   * @param {Status["stage"]} stage
   */
  async #close(stage) {
    const replica = this.#replica;
    this.#follower?.stop();
    this.#ending.abort();
    this.#replica = this.#follower = this.#opening = null;
    this.closeStore();
    await replica?.close();
    this.#set({ stage, unsent: 0, keys: 0, done: 0, total: 0, failure: "" });
  }

  /**
   * Note what has moved; while a large value is sent, what arrives meanwhile is not told.
   * @param {number} done
   * @param {number} total
   * @param {Status["unit"]} unit
   */
  #noteMoved(done, total, unit) {
    const { status } = this;
    if (unit === "entries" && status.unit === "bytes" && status.done < status.total) return;
    this.#set({ done, total, unit });
  }

  /** @param {Standing} standing */
  #noteStanding({ isBusy, error }) {
    const hub = error instanceof HubUnreachable ? "unreachable" : error !== null ? "failed" : isBusy ? "busy" : "in step";
    this.#set({ hub, failure: error?.message ?? "", ...(isBusy ? {} : { done: 0, total: 0 }) });
  }

  // Status

  /** @param {Partial<Status>} changed */
  #set(changed) {
    this.status = { ...this.status, ...changed };
    this.#tell();
  }

  #tell() {
    this.#telling ??= setTimeout(() => {
      this.#telling = null;
      this.#describe();
      for (const listener of this.#listeners) listener();
    }, TELLING_INTERVAL);
  }

  #describe() {
    const replica = this.#replica;
    if (replica === null) return;
    const { facts, dirty } = replica;
    const hubName = nameDevice(replica, facts.hub.processId) || new URL(this.#hub).host;
    const refused = Object.entries(facts.refused).map(([name, reason]) => `${name.slice(0, 12)}…: ${reason}`);
    const counts = { unsent: dirty.size, keys: this.countFiles(), refused };
    this.status = { ...this.status, ...counts, name: facts.name, hubName, isSealed: replica.isSealed };
  }

  /** @param {() => void} listener */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  // Coming and going

  /**
   * Join by what a QR code or a person says.
   * @param {string} code
   * @param {string} name
   * @param {string} passphrase
   * @param {(sentence: string) => void} report
   */
  async pair(code, name, passphrase, report) {
    report("Waiting for the other device …");
    const { key, sealed } = await receiveHandover(reachMailboxes(this.#hub), code, name);
    report("Opening the store …");
    const secrets = { key, sealed, storage: drawRandom(passphrase === "" ? 0 : STORAGE_KEY_BYTES) };
    const locked = passphrase === "" ? null : await lockSecrets(secrets, passphrase);
    const opened = await importKeys(secrets);
    await clearDatabase(this.#require(this.#database)); // of whatever was here before
    await this.#require(this.#settings).write(IDENTITY, locked === null ? opened : { locked });
    await this.#open(opened);
    await this.#replica?.change(({ facts }) => {
      facts.name = name;
    });
    this.#set({ hasPassphrase: locked !== null });
    await this.keep();
  }

  /** @param {string} passphrase */
  async unlock(passphrase) {
    await this.#open(await importKeys(await this.#unlockSecrets(passphrase)));
  }

  /**
   * Keep the secrets under another passphrase, or with "" without one.
   * @param {string} before
   * @param {string} after
   */
  async changePassphrase(before, after) {
    const secrets = await this.#unlockSecrets(before);
    const locked = after === "" ? null : await lockSecrets(secrets, after);
    const keys = await importKeys(secrets);
    await this.#require(this.#settings).write(IDENTITY, locked === null ? keys : { locked });
    this.#set({ hasPassphrase: locked !== null });
  }

  /** @param {string} passphrase */
  async #unlockSecrets(passphrase) {
    const identity = await this.#readIdentity();
    if (identity === null || !("locked" in identity)) {
      throw new DeviceError("This store has no passphrase. To have one, forget this device, and pair it again with one.");
    }
    return unlockSecrets(identity.locked, passphrase);
  }

  /** Take the store from the other tab. */
  async takeOver() {
    await this.#enter(true);
  }

  /**
   * Say that the page cannot work here.
   * @param {unknown} error
   */
  fail(error) {
    this.#set({ hub: "failed", failure: error instanceof Error ? error.message : String(error) });
  }

  /** Ask the browser to keep the store; return whether it does. */
  async keep() {
    const isPersistent = (await navigator.storage?.persist?.()) ?? false;
    this.#set({ isPersistent });
    return isPersistent;
  }

  /** Exchange with the hub at once. */
  async synchronise() {
    this.#follower?.wake();
  }

  /** Remove all that this device has. */
  async forget() {
    const database = this.#require(this.#database);
    await this.#close("none");
    await clearDatabase(database);
    await forgetCaches();
  }

  /**
   * @template Part
   * @param {Part | null} part
   * @returns {Part}
   */
  #require(part) {
    if (part === null) throw new DeviceError("The store is not open here: load the page again.");
    return part;
  }
}

/** Remove what the service worker keeps of this page, and for it; others of the same origin have theirs. */
async function forgetCaches() {
  const { pathname, href } = new URL("./", location.href);
  const own = (await caches.keys()).filter((name) => name.startsWith(`kvass-app ${pathname} `));
  await Promise.all(own.map((name) => caches.delete(name)));
  const shared = await caches.open("kvass-shared");
  const requests = (await shared.keys()).filter(({ url }) => url.startsWith(href));
  await Promise.all(requests.map((request) => shared.delete(request)));
}
