// Encodes and decodes messages as the page does. Its argument is a file of JSON, with a list of calls: the name of a function below,
// and its arguments. It prints what they return, or the error. Bytes are base64, times of files are texts.

import { readFileSync } from "node:fs";
import { decodeBlocksResponse, encodeBlocksRequest } from "../../../../kvassfs/server/web/messages/block_messages.js";
import { decodeEntries, encodeEntry, estimateSize } from "../../../../kvassfs/server/web/messages/entry_messages.js";
import {
  decodePullResponse,
  decodePushResponse,
  encodePullRequest,
  encodePush,
} from "../../../../kvassfs/server/web/messages/messages.js";
import { computeDigest, computeMark, importSealKey, Seal } from "../../../../kvassfs/server/web/messages/seal.js";

const unpack = (text) => new Uint8Array(Buffer.from(text, "base64"));
const pack = (data) => (data === null ? null : Buffer.from(data).toString("base64"));

function unpackDelivery({ entry, sequence, value, blocks, counts }) {
  const modTime = entry.modTime === null ? null : BigInt(entry.modTime);
  return { entry: { ...entry, modTime }, sequence, value: value === null ? null : unpack(value), blocks: unpack(blocks), counts };
}

function packDelivery({ entry, sequence, value, blocks, counts }) {
  const modTime = entry.modTime === null ? null : String(entry.modTime);
  return { entry: { ...entry, modTime }, sequence, value: pack(value), blocks: pack(blocks), counts };
}

const calls = {
  encodePush: (deliveries) => pack(encodePush(deliveries.map(unpackDelivery))),
  encodeEntries: (deliveries) => deliveries.map(unpackDelivery).map((each) => encodeEntry(each, each.sequence)),
  estimateSizes: (deliveries) => deliveries.map(unpackDelivery).map(estimateSize),
  decodeEntries: (text) => decodeEntries(JSON.parse(Buffer.from(unpack(text))), null).map(packDelivery),
  encodePullRequest: (request) => pack(encodePullRequest({ ...request, names: new Map(request.names) })),
  decodePullResponse: (text, leaveOut) => {
    const { deliveries, names, ...response } = decodePullResponse(unpack(text), leaveOut);
    return { ...response, deliveries: deliveries.map(packDelivery), names: [...names] };
  },
  decodePushResponse: (text) => {
    const response = decodePushResponse(unpack(text));
    return { ...response, missing: pack(response.missing) };
  },
  encodeBlocksRequest: (get, put) => pack(encodeBlocksRequest(get.map(unpack), put.map(unpack))),
  decodeBlocksResponse: (text) => {
    const plaintext = unpack(text);
    const { name, blocks } = decodeBlocksResponse(plaintext);
    const areParts = blocks.every((block) => block === null || block.buffer === plaintext.buffer);
    return { name, blocks: blocks.map(pack), areParts };
  },
  seal: async (key, nonce, text) => {
    const seal = new Seal(await importSealKey(unpack(key)), () => unpack(nonce));
    const body = await seal.seal(unpack(text));
    return { body: pack(body), mark: computeMark(body), digest: await computeDigest(body) };
  },
  unseal: async (key, text) => pack(await new Seal(await importSealKey(unpack(key))).unseal(unpack(text))),
};

async function call([name, ...args]) {
  try {
    return { result: await calls[name](...args) };
  } catch (error) {
    return { error: error.constructor.name, message: error.message };
  }
}

const results = [];
for (const each of JSON.parse(readFileSync(process.argv[2], "utf8"))) results.push(await call(each));
console.log(JSON.stringify(results));
