/**
 * A store in memory in place of a real one, for the tests of the views: it keeps to `Device`, and does what a test scripts.
 *
 * `window.scenario`, which a test sets before the page is loaded, says what there is; `window.fake` is the device.
 */

import { DeviceError } from "../app/device.js";

const KINDS = { file: 0o100600, directory: 0o040700, symlink: 0o120777 };

/** A moment that is the same in each picture. */
const START = Date.UTC(2026, 10, 3, 9, 30);

export class FakeDevice {
  status = {
    stage: "open",
    hub: "in step",
    failure: "",
    unsent: 0,
    done: 0,
    total: 0,
    unit: "entries",
    keys: 0,
    isPersistent: true,
    name: "phone (Chrome)",
    hubName: "hub.example",
    isSealed: true,
    hasPassphrase: false,
    refused: [],
  };

  /** What each key has: its versions, the newest last. @type {Map<string, any[]>} */
  #keys = new Map();
  #listeners = new Set();
  #conflicts = [];
  #shares = [];
  #undo = [];
  #sorted = null;
  #clock = START;
  #passphrase = "";
  /** What was called, with what. */
  calls = [];
  /** Milliseconds that a read and an addition take. */
  slow = 0;
  /** Sentences with which the next calls of methods fail. @type {Record<string, string>} */
  failing = {};

  constructor(scenario = {}) {
    const {
      files = {},
      count = 0,
      conflicts = [],
      removed = [],
      status = {},
      passphrase = "",
      slow = 0,
      failing = {},
    } = scenario;
    Object.assign(this, { slow, failing });
    this.#passphrase = passphrase;
    const many = new Blob(["one of many"]); // each blob is something of the browser's own
    for (let number = 0; number < count; number += 1) this.#put(`file ${String(number).padStart(6, "0")}.txt`, many, "laptop");
    for (const [key, value] of Object.entries(files))
      this.#put(key, decodeValue(value), "laptop", typeof value === "object" ? value : {});
    for (const key of removed) this.#put(key, null, "phone (Chrome)");
    for (const [key, text] of conflicts) this.#lose(key, new Blob([text]), "tablet");
    Object.assign(this.status, { keys: this.#list().length, ...status });
  }

  // What tests do

  /** Have another device save a text, or remove the key with `null`. */
  change(key, text, device = "laptop") {
    this.#put(key, text === null ? null : new Blob([text]), device);
    this.tell();
  }

  /** Have the state be another one. */
  become(status) {
    Object.assign(this.status, status);
    this.tell();
  }

  tell() {
    for (const listener of this.#listeners) listener();
  }

  /** Return a text that is current, `null` without one. */
  async text(key) {
    return (await this.#current(key)?.value?.text()) ?? null;
  }

  keys() {
    return this.#list().map(({ key }) => key);
  }

  // What a device does

  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  list(prefix) {
    const found = new Map();
    for (const item of this.#list()) {
      if (!item.key.startsWith(prefix) || item.key === prefix) continue;
      const [name] = item.key.slice(prefix.length).split("/", 1);
      const isBelow = item.key.length > prefix.length + name.length;
      const key = prefix + name + (isBelow ? "/" : "");
      if (!found.has(key))
        found.set(key, isBelow ? this.#makeItem(key, { kind: "directory", when: item.changed }) : item);
    }
    return [...found.values()].sort(
      (one, other) => (one.kind === "directory" ? 0 : 1) - (other.kind === "directory" ? 0 : 1),
    );
  }

  listLatest(most) {
    return this.#list()
      .filter(({ kind }) => kind !== "directory")
      .sort((one, other) => other.changed - one.changed)
      .slice(0, most);
  }

  get(key) {
    const version = this.#current(key);
    if (version !== undefined) return this.#makeItem(key, version);
    const isFolder = key.endsWith("/") && this.#list().some((item) => item.key.startsWith(key));
    return isFolder ? this.#makeItem(key, { kind: "directory", when: START }) : null;
  }

  find(text, most) {
    const words = text.toLowerCase().split(/\s+/);
    return this.#list()
      .filter(({ key }) => words.every((word) => key.toLowerCase().includes(word)))
      .slice(0, most);
  }

  async *search(text, most) {
    let found = 0;
    for (const item of this.#list().slice(0, 1000)) {
      const value = await this.#current(item.key)?.value?.text();
      if (!value?.toLowerCase().includes(text.toLowerCase())) continue;
      yield item;
      if ((found += 1) === most) return;
    }
  }

  async read(key, number, report) {
    this.#note("read", key, number);
    await this.#move(report);
    const version = number === null ? this.#current(key) : this.#keys.get(key)?.[number - 1];
    if (!version?.value) throw new DeviceError(`Nothing is under "${key}".`);
    version.isHere = true;
    return version.value;
  }

  begin(key) {
    return String(this.#keys.get(key)?.length ?? 0);
  }

  async write(key, value, begun) {
    this.#note("write", key, await value.text());
    const isConflict = begun !== this.begin(key);
    const other = this.#current(key);
    this.#put(key, value, this.status.name, { isUnsent: true });
    if (isConflict && other !== undefined)
      this.#conflicts.push({
        key,
        number: this.#keys.get(key).indexOf(other) + 1,
        loser: other.device,
        winner: this.status.name,
      });
    this.#did(`"${key}" changed`, () => this.#drop(key));
    return { isConflict, begun: this.begin(key) };
  }

  async add(key, value, report) {
    this.#note("add", key, value.size);
    await this.#move(report);
    const [, base, end] = /^(.*?)((?:\.[^./]*)?)$/s.exec(key);
    let free = key;
    for (let number = 2; this.#current(free) !== undefined; number += 1) free = `${base} (${number})${end}`;
    this.#put(free, value, this.status.name, { isUnsent: true });
    this.#did(`"${free}" added`, () => this.#drop(free));
    return free;
  }

  async makeDirectory(prefix) {
    this.#note("makeDirectory", prefix);
    this.#put(prefix, new Blob([]), this.status.name, { kind: "directory" });
    this.#did(`"${prefix}" made`, () => this.#drop(prefix));
  }

  async move(from, to) {
    this.#note("move", from, to);
    if (this.get(to) !== null) throw new DeviceError(`There is something at "${to}" already. Choose another name.`);
    const keys = this.#below([from]);
    const name = (key) => to + key.slice(from.length);
    const move = (key, goal) => {
      this.#keys.set(goal, this.#keys.get(key));
      this.#keys.delete(key);
    };
    for (const key of keys) move(key, name(key));
    this.#did(`"${from}" moved`, () => keys.forEach((key) => move(name(key), key)));
  }

  async remove(keys) {
    this.#note("remove", ...keys);
    const gone = this.#below(keys);
    for (const key of gone) this.#put(key, null, this.status.name);
    this.#did(`${gone.length} keys removed`, () => gone.forEach((key) => this.#drop(key)));
  }

  undoable() {
    const last = this.#undo.at(-1);
    return last === undefined ? null : { description: last.description };
  }

  async undo() {
    this.#note("undo");
    const last = this.#undo.pop();
    last.back();
    this.#changed();
    return "";
  }

  listRevisions(key) {
    return (this.#keys.get(key) ?? [])
      .map(({ value, when, device, became, isHere }, at, { length }) => ({
        number: at + 1,
        when,
        size: value?.size ?? 0,
        device,
        isHere,
        isInConflict: became === "lost",
        became: value === null ? "removed" : at === length - 1 ? "current" : (became ?? "replaced"),
      }))
      .filter(({ became }) => became !== "removed")
      .reverse();
  }

  async restore(key, number) {
    this.#note("restore", key, number);
    this.#put(key, this.#keys.get(key)[number - 1].value, this.status.name, { isUnsent: true });
    this.#settle(key);
    this.#did(`"${key}" restored`, () => this.#drop(key));
  }

  listRemoved(most) {
    const gone = [...this.#keys].filter(([, versions]) => versions.at(-1).value === null);
    return gone.map(([key, versions]) => this.#makeItem(key, versions.at(-1))).slice(0, most);
  }

  listConflicts() {
    return [...this.#conflicts];
  }

  async settle(key) {
    this.#note("settle", key);
    this.#settle(key);
    this.#changed();
  }

  async listShares(key) {
    this.#note("listShares", key);
    return this.#shares.filter((share) => key === "" || share.key === key);
  }

  async share(key, expires, once) {
    this.#note("share", key, expires, once);
    const token = `token${this.#shares.length}`;
    const share = { token, key, expires, once, address: `https://hub.example/open#${token}.key` };
    this.#shares.push(share);
    return share;
  }

  async endShare(token) {
    this.#note("endShare", token);
    this.#shares = this.#shares.filter((share) => share.token !== token);
  }

  async pair(code, name, passphrase, report) {
    this.#note("pair", code, name, passphrase);
    report("Asking the hub …");
    await this.#move((part) => this.become({ done: Math.round(part * 1000), total: 1000 }));
    this.become({ stage: "open", name, done: 0, total: 0 });
  }

  async changePassphrase(before, after) {
    this.#note("changePassphrase", before, after);
    if (before !== this.#passphrase) throw new DeviceError("This is not the passphrase. Try again.");
    this.#passphrase = after;
    this.become({ hasPassphrase: after !== "" });
  }

  async unlock(passphrase) {
    this.#note("unlock");
    if (passphrase !== this.#passphrase) throw new DeviceError("This is not the passphrase. Try again.");
    this.become({ stage: "open" });
  }

  async takeOver() {
    this.#note("takeOver");
    this.become({ stage: "open" });
  }

  async keep() {
    this.#note("keep");
    this.become({ isPersistent: true });
    return true;
  }

  async synchronise() {
    this.#note("synchronise");
    this.become({ hub: "in step", failure: "", unsent: 0 });
  }

  async forget() {
    this.#note("forget");
    this.#keys.clear();
    this.become({ stage: "none", keys: 0 });
  }

  // How it is done

  #note(method, ...args) {
    this.calls.push([method, ...args]);
    const sentence = this.failing[method];
    if (sentence === undefined) return;
    delete this.failing[method];
    throw new DeviceError(sentence);
  }

  async #move(report) {
    for (let step = 1; step <= 4; step += 1) {
      if (this.slow > 0) await new Promise((resolve) => setTimeout(resolve, this.slow / 4));
      report(step / 4);
    }
  }

  #current(key) {
    const version = this.#keys.get(key)?.at(-1);
    return version?.value === null ? undefined : version;
  }

  #put(key, value, device, options = {}) {
    const { kind = key.endsWith("/") ? "directory" : "file", isUnsent = false, isHere = true, when } = options;
    const versions = this.#keys.get(key) ?? [];
    versions.push({ value, when: when ?? (this.#clock += 60_000), device, kind, isUnsent, isHere });
    this.#keys.set(key, versions);
    this.#sorted = null;
  }

  #lose(key, value, device) {
    const versions = this.#keys.get(key);
    versions.splice(-1, 0, {
      value,
      when: (this.#clock += 60_000),
      device,
      kind: "file",
      became: "lost",
      isHere: true,
    });
    this.#conflicts.push({ key, number: versions.length - 1, loser: device, winner: versions.at(-1).device });
  }

  #settle(key) {
    this.#conflicts = this.#conflicts.filter((conflict) => conflict.key !== key);
  }

  #drop(key) {
    const versions = this.#keys.get(key);
    versions.pop();
    if (versions.length === 0) this.#keys.delete(key);
  }

  #did(description, back) {
    this.#undo.push({ description, back });
    this.status.unsent += 1;
    this.#changed();
  }

  #changed() {
    this.#sorted = null;
    this.tell();
  }

  #below(keys) {
    return [...this.#keys.keys()].filter(
      (key) => this.#current(key) && keys.some((each) => key === each || (each.endsWith("/") && key.startsWith(each))),
    );
  }

  #list() {
    this.#sorted ??= [...this.#keys]
      .filter(([key]) => this.#current(key) !== undefined)
      .map(([key, versions]) => this.#makeItem(key, versions.at(-1)))
      .sort((one, other) => (one.key < other.key ? -1 : 1));
    return this.#sorted;
  }

  #makeItem(key, { kind, value, when, device = "", isUnsent = false, isHere = true }) {
    const name = key.replace(/\/$/, "").split("/").at(-1);
    const isInConflict = this.#conflicts.some((conflict) => conflict.key === key);
    return {
      key,
      name,
      kind,
      size: value?.size ?? 0,
      changed: when,
      device,
      isUnsent,
      isHere,
      isInConflict,
      mode: KINDS[kind],
    };
  }
}

/** Return the value that a scenario describes: a text, or `{ text }`, `{ base64 }` or `{ zeros }`. */
function decodeValue(value) {
  if (typeof value === "string") return new Blob([value]);
  if (value.zeros !== undefined) return new Blob([new Uint8Array(value.zeros)]);
  if (value.base64 === undefined) return new Blob([value.text ?? ""]);
  return new Blob([Uint8Array.from(atob(value.base64), (letter) => letter.charCodeAt(0))]);
}
