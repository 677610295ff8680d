/**
 * The messages about blocks of large values: a line of JSON, and then the bytes of the blocks one after another:
 * kvassfs/sync/block_messages.py.
 */

import { encodeBase64, encodeText, joinBytes } from "../words/bytes.js";
import { InvalidMessage } from "../words/errors.js";
import { areNumbers, decodeJson, encodeJson, requireKind } from "./message_fields.js";

/** @import { Bytes } from "../words/bytes.js" */

/**
 * What a hub says to a request about blocks: mark or digest of the request in `name`, and the blocks, `null` for one that it lacks. They
 * are parts of the message, which they keep in memory.
 * @typedef {{ name: string, blocks: (Bytes | null)[] }} BlocksResponse
 */

/** The version of these messages: to this one a hub responds with the mark of the request, to one before with its digest. */
const BLOCKS_VERSION = 3;

const BLOCKS_RESPONSE_FIELDS = new Set(["Request", "Sizes"]);

const NEWLINE = 10;

/**
 * Return the message that sends blocks (`put`), or asks for some by their hashes (`get`).
 * @param {Bytes[]} get
 * @param {Bytes[]} put
 */
export function encodeBlocksRequest(get, put) {
  const sizes = put.map((block) => block.length);
  const header = { Version: BLOCKS_VERSION, Get: encodeBase64(joinBytes(get)), Put: sizes, Type: "blocks" };
  return joinBytes([encodeJson(header), encodeText("\n"), ...put]);
}

/**
 * Return the response to a request about blocks. Throws InvalidMessage.
 * @param {Bytes} plaintext
 * @returns {BlocksResponse}
 */
export function decodeBlocksResponse(plaintext) {
  const end = plaintext.indexOf(NEWLINE);
  if (end < 0) throw new InvalidMessage("it has no header");
  const header = requireKind(decodeJson(plaintext.subarray(0, end)), "blocks answer", BLOCKS_RESPONSE_FIELDS);
  const { Request: name, Sizes: sizes = [] } = header;
  return { name: String(name), blocks: splitBlocks(sizes, plaintext.subarray(end + 1)) };
}

/**
 * Return the blocks that are joined in `data`; a size of -1 is one that is not there.
 * @param {unknown} sizes
 * @param {Bytes} data
 * @returns {(Bytes | null)[]}
 */
function splitBlocks(sizes, data) {
  if (!areNumbers(sizes, -1)) throw new InvalidMessage("its sizes of blocks cannot be read");
  let end = 0;
  const blocks = sizes.map((size) => (size < 0 ? null : data.subarray(end, (end += size))));
  if (end !== data.length) throw new InvalidMessage("its blocks are not as long as it says");
  return blocks;
}
