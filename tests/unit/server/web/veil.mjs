// Seals and opens entries as the page does, which is a device of a sealed store. Calls share the blocks that are kept with `keep`.

import { createHash } from "node:crypto";
import { addressLink, addressVersion, formatFragment, isProven, makeLink } from "../../../../kvassfs/server/web/veil/links.js";
import { deriveVeilKeys, hideKey } from "../../../../kvassfs/server/web/veil/keys.js";
import {
  findMissingWraps,
  findSources,
  openDelivery,
  openPage,
  openSource,
} from "../../../../kvassfs/server/web/veil/open_delivery.js";
import { computeSealedHash } from "../../../../kvassfs/server/web/veil/seal_block.js";
import { makeBlocks, sealDelivery } from "../../../../kvassfs/server/web/veil/seal_delivery.js";
import { answer, pack, packDelivery, unpack, unpackDelivery } from "./calls.mjs";

const keys = await deriveVeilKeys(Uint8Array.from({ length: 32 }, (_, number) => number));

const hex = (data) => Buffer.from(data).toString("hex");
const hash = (data) => new Uint8Array(createHash("sha256").update(data).digest());

/** Blocks by their hashes: those of the store, and those of the hub. */
const plain = new Map();
const atHub = new Map();
const sealedHashes = new Map();

const blocks = {
  read: async (name) => plain.get(hex(name)),
  findSealed: async (name) => {
    const found = sealedHashes.get(hex(name)) ?? (await computeSealedHash(keys, plain.get(hex(name)), name));
    sealedHashes.set(hex(name), found);
    return found;
  },
};

const fetch = async (name) => atHub.get(hex(name)) ?? new Uint8Array();

const measure = (data) => ({ bytes: data.length, buffer: data.buffer.byteLength });

function keep(store, texts) {
  for (const block of texts.map(unpack)) store.set(hex(hash(block)), block);
}

const calls = {
  keepPlain: (texts) => keep(plain, texts),
  keepAtHub: (texts) => keep(atHub, texts),
  hideKey: (key) => hideKey(keys, key),
  addresses: async (delivery, links) => {
    const version = await addressVersion(keys, unpackDelivery(delivery).entry);
    return [version, ...(await Promise.all(links.map((link) => addressLink(keys, link))))].map(formatFragment);
  },
  makeLink: (name, terms, random) => makeLink(keys, name, terms, () => unpack(random)),
  isProven: (record) => isProven(keys, record),
  seal: async (delivery, links) => {
    const sealed = await sealDelivery(keys, unpackDelivery(delivery), links, blocks);
    return sealed && packDelivery(sealed);
  },
  // Makes blocks, and keeps them at the hub; it returns their hashes.
  make: async (delivery, links, wanted) => {
    const made = [];
    for await (const block of makeBlocks(keys, unpackDelivery(delivery), links, blocks, new Set(wanted))) {
      const name = hex(hash(block));
      atHub.set(name, block);
      made.push(name);
    }
    return made;
  },
  open: async (delivery) => packDelivery(await openDelivery(keys, unpackDelivery(delivery), fetch)),
  openPage: async (deliveries) => {
    const { opened, refused } = await openPage(keys, deliveries.map(unpackDelivery), fetch);
    return {
      opened: opened.map(({ sealed, plain: found }) => [sealed.entry.key, packDelivery(found)]),
      refused: refused.map(({ name, error }) => [name, error.constructor.name]),
    };
  },
  // Opens the wanted blocks, and returns where they were and whether each is the one in the store.
  openSources: async (delivery, wanted) => {
    const sealed = unpackDelivery(delivery);
    const found = [];
    for (const source of findSources({ sealed, plain: await openDelivery(keys, sealed, fetch) }, new Set(wanted))) {
      const block = await openSource(keys, source, await fetch(source.sealed));
      found.push([hex(source.hash), source.size, hex(source.sealed), source.padded, hex(hash(block))]);
    }
    return found;
  },
  // Returns the lengths of the value, or of its blocks, and of the buffers that they are in.
  measureOpened: async (delivery) => {
    const sealed = unpackDelivery(delivery);
    const opened = { sealed, plain: await openDelivery(keys, sealed, fetch) };
    if (opened.plain.value !== null) return [measure(opened.plain.value)];
    const found = [];
    const wanted = new Set(Buffer.from(opened.plain.blocks).toString("hex").match(/.{64}/g));
    for (const source of findSources(opened, wanted)) {
      found.push(measure(await openSource(keys, source, await fetch(source.sealed))));
    }
    return found;
  },
  openSource: async ([name, size, sealed, padded], block) => {
    const source = { hash: unpack(name), size, sealed: unpack(sealed), padded };
    return pack(await openSource(keys, source, unpack(block)));
  },
  findMissingWraps: async (delivery, links) => {
    const missing = await findMissingWraps(keys, unpackDelivery(delivery), links, fetch);
    return missing.map(({ token }) => token);
  },
  // Says of each key whether it can be read out, and whether a copy, as a database of the browser makes one, does the same.
  inspect: async () => {
    const copies = structuredClone(keys);
    const canBeRead = [];
    for (const [name, key] of Object.entries(copies)) {
      await crypto.subtle.exportKey("raw", key).then(() => canBeRead.push(name), () => null);
    }
    return { canBeRead, names: [await hideKey(keys, "a"), await hideKey(copies, "a")] };
  },
};

await answer(calls);
