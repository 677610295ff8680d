// Encodes and decodes messages as the page does.

import { decodeBlocksResponse, encodeBlocksRequest } from "../../../../kvassfs/server/web/messages/block_messages.js";
import { decodeEntries, encodeEntry, estimateSize } from "../../../../kvassfs/server/web/messages/entry_messages.js";
import {
  decodePullResponse,
  decodePushResponse,
  encodePullRequest,
  encodePush,
} from "../../../../kvassfs/server/web/messages/messages.js";
import { computeDigest, computeMark, importSealKey, Seal } from "../../../../kvassfs/server/web/messages/seal.js";
import { answer, pack, packDelivery, unpack, unpackDelivery } from "./calls.mjs";

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

await answer(calls);
