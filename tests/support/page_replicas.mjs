/** Replicas of the page, for tests: does what the lines of its input ask for, one after another, and has posts made by who asks. */

import { createInterface } from "node:readline";

import { importSealKey } from "../../kvassfs/server/web/messages/seal.js";
import { settleKept } from "../../kvassfs/server/web/replica/history.js";
import { Replica } from "../../kvassfs/server/web/replica/replica.js";
import { SIZES } from "../../kvassfs/server/web/replica/sizes.js";
import { moveVersion, removeVersion, varyVersion, writeVersion } from "../../kvassfs/server/web/replica/versions.js";
import { makeMemoryStorage, StorageError } from "../../kvassfs/server/web/storage/storage.js";
import * as failures from "../../kvassfs/server/web/sync/errors.js";
import { Synchroniser } from "../../kvassfs/server/web/sync/synchroniser.js";
import { deriveVeilKeys } from "../../kvassfs/server/web/veil/keys.js";
import { decodeBase64, encodeBase64 } from "../../kvassfs/server/web/words/bytes.js";
import { isDeleted, isFile } from "../../kvassfs/server/web/words/entry.js";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** The replicas by their numbers, each with its storage and clocks. */
const replicas = new Map();

async function readLine() {
  const { value, done } = await lines.next();
  if (done) process.exit(0);
  return JSON.parse(value);
}

function tell(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** A message on its way: the other side says what comes of it. */
async function post(call, body, wait) {
  tell({ post: call, body: encodeBase64(body), wait });
  const { answer, error, status } = await readAnswer();
  if (error === "HubFailed") throw new failures.HubFailed(status, "as the test has it");
  if (error === "Crash") throw new Crash();
  if (error !== undefined) throw new failures[error]("as the test has it");
  return decodeBase64(answer);
}

/** Return what comes of a message; meanwhile, what else is asked for is done. */
async function readAnswer() {
  for (;;) {
    const line = await readLine();
    if (!("do" in line)) return line;
    await perform(line);
  }
}

class Crash extends Error {}

/** Random bytes that are the same each time: xorshift32. */
function makeRandom(seed) {
  let state = (2 * seed + 1) >>> 0; // never 0, and another one for each seed
  return (count) => {
    const data = new Uint8Array(count);
    for (let at = 0; at < count; at += 1) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      data[at] = state >>> 11;
    }
    return data;
  };
}

/** Storage that can be set back, and whose writes fail from one of them on. */
function makeTestStorage() {
  let inner = makeMemoryStorage();
  let written = [];
  let fails = Infinity;
  const attempt = () => {
    fails -= 1;
    if (fails < 0) throw new StorageError("full, as the test has it");
  };
  return {
    load: () => inner.load(),
    async commit(commit) {
      attempt();
      written.push(["commit", { ...commit, values: new Map(commit.values), dropped: new Set(commit.dropped) }]);
      await inner.commit(commit);
    },
    async rewrite(records) {
      attempt();
      written.push(["rewrite", records]);
      await inner.rewrite(records);
    },
    readValue: (id) => inner.readValue(id),
    readBlock: (name) => inner.readBlock(name),
    async writeBlock(name, data) {
      attempt();
      written.push(["writeBlock", name, data]);
      await inner.writeBlock(name, data);
    },
    async dropBlocks(names) {
      written.push(["dropBlocks", names]);
      await inner.dropBlocks(names);
    },
    failFrom(count) {
      fails = count;
    },
    image: () => [...written],
    async setBack(image) {
      inner = makeMemoryStorage();
      written = [...image];
      for (const [name, ...rest] of image) await inner[name](...rest);
    },
  };
}

async function open(device) {
  const { storage, machine, sizes, random } = device;
  device.replica = new Replica({ storage, machine, random, sizes, isSealed: device.keys.veil !== null });
  await device.replica.load();
  device.synchroniser = null;
}

async function importKeys(key, sealed) {
  const veil = sealed ? await deriveVeilKeys(key) : null;
  return { messages: veil === null ? await importSealKey(key) : veil.access, veil };
}

async function make({ who, processId, key, sealed, sizes, seed, lazy }) {
  const clock = { now: 0, uptime: 0 };
  const storage = makeTestStorage();
  const machine = { now: () => clock.now, uptime: () => clock.uptime };
  const device = { storage, machine, clock, random: makeRandom(seed), sizes: { ...SIZES, ...sizes }, images: new Map(), isLazy: lazy };
  device.keys = await importKeys(decodeBase64(key), sealed);
  replicas.set(who, device);
  await open(device);
  await device.replica.change(({ facts }) => {
    facts.processId = processId;
  });
}

function makeSynchroniser({ replica, keys, random }) {
  return new Synchroniser(replica, post, keys, random);
}

async function synchronise(device, what, anew) {
  if (device.synchroniser === null || anew) device.synchroniser = makeSynchroniser(device);
  const { synchroniser } = device;
  if (what === "wait") return synchroniser.pull(30);
  let moved = 0;
  if (what !== "push") moved += await synchroniser.pull();
  if (what !== "pull") moved += await synchroniser.push();
  if (what !== "push" && !device.isLazy) await fetchAll(device, synchroniser);
  return moved;
}

/** Get all values, of versions that are kept too, as a device does that keeps everything. */
async function fetchAll({ replica }, synchroniser) {
  for (const { entry, content } of listVersions(replica)) {
    if (replica.isHere(content)) continue;
    try {
      await synchroniser.fetch(entry, content);
    } catch (error) {
      if (!(error instanceof failures.ValueMissing)) throw error;
    }
  }
}

function listVersions(replica) {
  return [...replica.rows.values(), ...[...replica.kept.values()].flat()];
}

async function readAll(replica, content) {
  const pieces = [];
  for await (const piece of replica.readPieces(content)) pieces.push(piece);
  return encodeBase64(new Uint8Array(await new Blob(pieces).arrayBuffer()));
}

async function describe({ replica }) {
  const versions = [];
  for (const { entry, content, isDirty } of replica.rows.values()) {
    const { key, timestamp, counter, processId, urlToken, mode, modTime, seen, origin } = entry;
    const value = replica.isHere(content) ? await readAll(replica, content) : null;
    const time = modTime === null ? null : String(modTime);
    versions.push([key, timestamp, counter, processId, urlToken, mode, time, seen, origin, value, isDirty]);
  }
  const kept = [];
  for (const { entry, content } of listVersions(replica)) {
    if (entry.size > 0 && replica.isHere(content)) kept.push([entry.key, entry.urlToken, await readAll(replica, content)]);
  }
  const conflicts = [...replica.kept.values()].flat().filter(({ met }) => met !== null);
  return { versions, kept, refused: replica.facts.refused, conflicts: conflicts.map(({ entry: { key, processId, counter, origin } }) => [key, processId, counter, origin]) };
}

const actions = {
  async set(device, { key, value }) {
    const prepared = await device.replica.prepare(new Blob([decodeBase64(value)]));
    await device.replica.change((transaction) => {
      const content = transaction.keep(prepared.content, prepared.value);
      writeVersion(transaction, key, { content, size: prepared.size });
    });
    return device.replica.rows.get(key).entry.urlToken;
  },
  async remove({ replica }, { key }) {
    const row = replica.rows.get(key);
    if (row !== undefined && !isDeleted(row.entry)) await replica.change((transaction) => removeVersion(transaction, key));
  },
  async rename({ replica }, { key, to }) {
    const row = replica.rows.get(key);
    if (row !== undefined && isFile(row.entry) && key !== to) await replica.change((transaction) => moveVersion(transaction, key, to));
  },
  async vary({ replica }, { key }) {
    const row = replica.rows.get(key);
    if (row === undefined || !isFile(row.entry)) return;
    await replica.change((transaction) => varyVersion(transaction, row, { mode: 0o100755 }));
  },
  async settle({ replica }, { key }) {
    await replica.change((transaction) => settleKept(transaction, key, () => true));
  },
  synchronise: (device, { what, anew }) => synchronise(device, what, anew),
  describe,
  async listAcknowledged({ replica }) {
    const rows = [...replica.rows.values()].filter(({ isDirty }) => !isDirty);
    return rows.map(({ entry: { key, timestamp, counter, processId } }) => [key, timestamp, counter, processId]);
  },
  async restart(device) {
    device.storage.failFrom(Infinity);
    await open(device);
  },
  async fail({ storage }, { at }) {
    storage.failFrom(at);
  },
  async backUp(device, { name }) {
    device.images.set(name, device.storage.image());
  },
  async becomeCopy(device, { of }) {
    await device.storage.setBack(replicas.get(of).storage.image());
    await open(device);
  },
  async restore(device, { name }) {
    if (!device.images.has(name)) return;
    await device.storage.setBack(device.images.get(name));
    await open(device);
  },
};

async function perform(asked) {
  try {
    if (asked.do === "make") {
      await make(asked);
      return tell({ result: null });
    }
    const device = replicas.get(asked.who);
    Object.assign(device.clock, { now: asked.now, uptime: asked.uptime });
    tell({ result: (await actions[asked.do](device, asked)) ?? null });
  } catch (error) {
    tell({ error: error.constructor.name, message: error.message, stack: error.stack });
  }
}

for (;;) await perform(await readLine());
