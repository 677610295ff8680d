/** How entries of a sealed store look on their way: sealed on the way to the hub, opened and checked on the way back: kvassfs/sync/sealed_passage.py. */

import { listLiveLinks } from "../replica/links.js";
import { varyVersion } from "../replica/versions.js";
import { PartMissing } from "../veil/device_errors.js";
import { VeilError } from "../veil/errors.js";
import { hideKey } from "../veil/keys.js";
import { isProven } from "../veil/links.js";
import { findMissingWraps, findSources, openPage, openSource } from "../veil/open_delivery.js";
import { computeSealedHash } from "../veil/seal_block.js";
import { makeBlocks, sealDelivery } from "../veil/seal_delivery.js";
import { encodeHex } from "../words/bytes.js";
import { isFile, makeToken } from "../words/entry.js";
import { ValueMissing } from "./errors.js";
import { estimateRow, fetchBlocks, makeDelivery, receive } from "./passage.js";

/** @import { Arrived } from "../replica/merging.js" */
/** @import { Replica } from "../replica/replica.js" */
/** @import { Content, Row } from "../replica/rows.js" */
/** @import { VeilKeys } from "../veil/keys.js" */
/** @import { Fetch, Opened, Refused } from "../veil/open_delivery.js" */
/** @import { PlainBlocks } from "../veil/seal_delivery.js" */
/** @import { Bytes } from "../words/bytes.js" */
/** @import { Delivery, Entry } from "../words/entry.js" */
/** @import { ShareLink } from "../words/share_link.js" */
/** @import { HubClient } from "./hub_client.js" */
/** @import { Packed, Passage } from "./passage.js" */

/** The live links by the names of their keys at the hub. @typedef {Map<string, ShareLink[]>} Links */

/** Microseconds for which a link that has expired by the clock here is sealed for: that of the hub ends it. */
const EXPIRY_MARGIN = 86_400 * 1_000_000;

/** Bytes of a head around key and value, and by how much all is padded, about. */
const HEAD_BYTES = 600;
const PADDING = 1.12;

/** Entries that are named at most: who has the access key can send any number. */
const MOST_REFUSED = 100;

/** A value was replaced while it was sealed. */
class BlockGone extends Error {}

/**
 * Return the way to a hub that cannot read what it keeps.
 * @param {Replica} replica
 * @param {HubClient} client
 * @param {VeilKeys} keys
 * @returns {Passage}
 */
export function makeSealedPassage(replica, client, keys) {
  /** What full blocks are called at the hub, by their hashes. @type {Map<string, Bytes>} */
  const names = new Map();
  return {
    estimate: (row) => Math.ceil(estimateRow(row) * PADDING) + HEAD_BYTES,
    async pack(rows) {
      const links = await findLiveLinks(replica, keys);
      const packed = await Promise.all(rows.map((row) => packRow(replica, client, keys, names, row, links)));
      return packed.filter((each) => each !== null);
    },
    open: (response, last) => openResponse(replica, client, keys, response, last),
    fetch: (entry, content, report) => fetchSealed(replica, client, keys, entry, content, report),
  };
}

/**
 * Return the blocks of a value, and what they are called at the hub, from which one that is not here is fetched: of a large value that was
 * only moved that is the last one.
 * @param {Replica} replica
 * @param {HubClient} client
 * @param {VeilKeys} keys
 * @param {Map<string, Bytes>} names
 * @param {Row} row
 * @returns {PlainBlocks}
 */
function makePlainBlocks(replica, client, keys, names, { entry, content }) {
  const read = async (/** @type {Bytes} */ hash) => {
    const block = await replica.readBlock(hash);
    if (block !== null) return block;
    const [source] = listSources(entry, content, new Set([encodeHex(hash)]));
    const [sealed] = source === undefined ? [] : await client.findBlocks([source.sealed]);
    if (source === undefined || !sealed) throw new BlockGone();
    return openSource(keys, source, sealed);
  };
  const findSealed = async (/** @type {Bytes} */ hash) => {
    const name = encodeHex(hash);
    const [source] = names.has(name) || replica.hasBlock(hash) ? [] : listSources(entry, content, new Set([name]));
    const sealed = names.get(name) ?? source?.sealed ?? (await computeSealedHash(keys, await read(hash), hash));
    names.set(name, sealed);
    return sealed;
  };
  return { read, findSealed };
}

/**
 * @param {Replica} replica
 * @param {HubClient} client
 * @param {VeilKeys} keys
 * @param {Map<string, Bytes>} names
 * @param {Row} row
 * @param {Links} links
 * @returns {Promise<Packed | null>}
 */
async function packRow(replica, client, keys, names, row, links) {
  const plain = await makeDelivery(replica, row);
  if (plain === null) return null;
  const blocks = makePlainBlocks(replica, client, keys, names, row);
  const live = links.size === 0 ? [] : links.get(await hideKey(keys, row.entry.key)) ?? [];
  try {
    const delivery = await sealDelivery(keys, plain, live, blocks);
    return { row, delivery, readBlocks: (missing) => readSealedBlocks(keys, plain, live, blocks, missing) };
  } catch (error) {
    if (error instanceof BlockGone) return null;
    throw error;
  }
}

/**
 * Yield the blocks that the hub lacks, up to one that is not here any more.
 * @param {VeilKeys} keys
 * @param {Delivery} plain
 * @param {ShareLink[]} links
 * @param {PlainBlocks} blocks
 * @param {readonly Bytes[]} missing
 */
async function* readSealedBlocks(keys, plain, links, blocks, missing) {
  try {
    yield* makeBlocks(keys, plain, links, blocks, new Set(missing.map(encodeHex)));
  } catch (error) {
    if (!(error instanceof BlockGone)) throw error;
  }
}

/**
 * Return the live links that a device of this store has made, by what their keys are called at the hub.
 * @param {Replica} replica
 * @param {VeilKeys} keys
 * @returns {Promise<Links>}
 */
async function findLiveLinks(replica, keys) {
  const before = replica.machine.now() - EXPIRY_MARGIN;
  /** @type {Links} */
  const found = new Map();
  for (const { record, link } of listLiveLinks(replica, before)) {
    if (await isProven(keys, record)) found.set(link.key, [...(found.get(link.key) ?? []), link]);
  }
  return found;
}

/**
 * Open a page: what is no entry of this store is refused and named, and holds up nothing else.
 * @param {Replica} replica
 * @param {HubClient} client
 * @param {VeilKeys} keys
 * @param {{ deliveries: Delivery[], unreadable: string[] }} response
 * @param {boolean} last
 */
async function openResponse(replica, client, keys, { deliveries, unreadable }, last) {
  const fetch = makeFetch(client);
  const { opened, refused } = await openPage(keys, deliveries, fetch);
  const putOff = last ? [] : refused.filter(({ error }) => error instanceof PartMissing);
  const taken = new Set(opened.map(({ sealed }) => sealed.entry.key));
  await noteRefused(replica, taken, refused.filter((each) => !putOff.includes(each)), unreadable);
  const arrived = await Promise.all(opened.map((each) => arrive(replica, each)));
  const unwrapped = await findUnwrappedVersions(replica, keys, opened, fetch);
  return { arrived, isComplete: putOff.length === 0, finish: () => wrapAnew(replica, unwrapped) };
}

/**
 * Return what fetches a block of the hub, and remembers the last one, in which the head of a value mostly is.
 * @param {HubClient} client
 * @returns {Fetch}
 */
function makeFetch(client) {
  let kept = "";
  let block = new Uint8Array();
  return async (hash) => {
    const name = encodeHex(hash);
    if (name === kept) return block;
    const [found] = await client.findBlocks([hash]);
    [kept, block] = [name, found?.slice() ?? new Uint8Array()];
    return block;
  };
}

/**
 * Note what is refused, before the cursor passes it, and what is not any more.
 * @param {Replica} replica
 * @param {ReadonlySet<string>} taken
 * @param {Refused[]} refused
 * @param {string[]} unreadable
 */
async function noteRefused(replica, taken, refused, unreadable) {
  const left = Object.entries(replica.facts.refused).filter(([name]) => !taken.has(name));
  const found = [
    ...refused.map(({ name, error }) => [name, error.message]),
    ...unreadable.map((name) => [name, "it is no entry that can be read"]),
  ];
  if (found.length === 0 && left.length === Object.keys(replica.facts.refused).length) return;
  await replica.change(({ facts }) => {
    facts.refused = Object.fromEntries([...left, ...found].slice(-MOST_REFUSED));
  });
}

/**
 * @param {Replica} replica
 * @param {Opened} opened
 * @returns {Promise<Arrived>}
 */
async function arrive(replica, { sealed, plain }) {
  if (plain.value !== null) return receive(replica, plain);
  const { entry, sequence, blocks, counts } = plain;
  const source = { size: sealed.entry.size, blocks: sealed.blocks, counts: sealed.counts };
  return { entry, sequence, value: null, content: { id: null, blocks, counts, source } };
}

/**
 * Return the versions that the holder of a live link cannot open: they are to be saved anew.
 * @param {Replica} replica
 * @param {VeilKeys} keys
 * @param {Opened[]} opened
 * @param {Fetch} fetch
 */
async function findUnwrappedVersions(replica, keys, opened, fetch) {
  const links = await findLiveLinks(replica, keys);
  const found = [];
  for (const { sealed, plain } of links.size === 0 ? [] : opened) {
    const live = links.get(sealed.entry.key);
    if (live === undefined || !isFile(plain.entry)) continue;
    if ((await findWraps(keys, sealed, live, fetch)).length > 0) found.push(plain.entry);
  }
  return found;
}

/**
 * @param {VeilKeys} keys
 * @param {Delivery} sealed
 * @param {ShareLink[]} live
 * @param {Fetch} fetch
 */
async function findWraps(keys, sealed, live, fetch) {
  try {
    return await findMissingWraps(keys, sealed, live, fetch);
  } catch (error) {
    if (error instanceof VeilError) return [];
    throw error;
  }
}

/**
 * @param {Replica} replica
 * @param {Entry[]} unwrapped
 */
async function wrapAnew(replica, unwrapped) {
  if (unwrapped.length === 0) return;
  await replica.change((transaction) => {
    for (const { key, urlToken } of unwrapped) {
      const row = transaction.row(key);
      if (row?.entry.urlToken === urlToken) varyVersion(transaction, row, { urlToken: makeToken(transaction.random) });
    }
  });
}

/**
 * Get the missing blocks of a value from where the hub has them.
 * @param {Replica} replica
 * @param {HubClient} client
 * @param {VeilKeys} keys
 * @param {Entry} entry
 * @param {Content} content
 * @param {(part: number) => void} report
 */
async function fetchSealed(replica, client, keys, entry, content, report) {
  const wanted = new Set(replica.findMissing(content).map(encodeHex));
  if (wanted.size === 0) return;
  const sources = listSources(entry, content, wanted);
  if (sources.length < wanted.size) throw new ValueMissing();
  await fetchBlocks(replica, client, sources, (source, sealed) => openSource(keys, source, sealed), report);
}

/**
 * Return where the hub has those blocks of a value that are `wanted`, as far as that is known.
 * @param {Entry} entry
 * @param {Content | null} content
 * @param {ReadonlySet<string>} wanted
 */
function listSources(entry, content, wanted) {
  return content === null || content.source === null ? [] : [...findSources(openAs(entry, content), wanted)];
}

/**
 * Return an entry, and where its value is at the hub, as it arrived.
 * @param {Entry} entry
 * @param {Content} content
 * @returns {Opened}
 */
function openAs(entry, { blocks, counts, source }) {
  const at = source ?? { size: 0, blocks: new Uint8Array(), counts: [] };
  const sealed = { entry: { ...entry, size: at.size }, sequence: 0, value: null, blocks: at.blocks, counts: at.counts };
  return { sealed, plain: { entry, sequence: 0, value: null, blocks, counts } };
}
