/** The head of a sealed value, opened by a device, which knows who made it: kvassfs/veil/head.py. */

import { checkMode } from "../words/entry.js";
import { Forged } from "./device_errors.js";
import { Spoiled } from "./errors.js";
import { decrypt, PROOF_BYTES, readBody, splitHead } from "./head.js";
import { deriveVersionKey, hideKey, joinOutside, joinParts } from "./keys.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Entry } from "../words/entry.js" */
/** @import { Head } from "./head.js" */
/** @import { Outside, VeilKeys } from "./keys.js" */

/**
 * An opened head with the version as the store has it, and the keys of the version for links with the `nonce` of theirs.
 * @typedef {Head & { entry: Entry, wraps: Bytes[], nonce: Bytes }} ProvenHead
 */

/**
 * Open the head of an entry of the hub, of which `outside` is all else that counts. Throws NewerForm, Forged or Spoiled.
 * @param {VeilKeys} keys
 * @param {Outside} outside
 * @param {Bytes} data
 * @returns {Promise<ProvenHead>}
 */
export async function openHead(keys, outside, data) {
  const parts = splitHead(data);
  const [isGenuine, versionKey] = await Promise.all([
    hasProof(keys, outside, data),
    deriveVersionKey(keys, outside.token),
  ]);
  if (!isGenuine) throw new Forged();
  const body = await decrypt(versionKey, parts.nonce, parts.box, parts.prefix);
  if (body === null) throw new Spoiled("its head cannot be decrypted");
  const head = readBody(body, parts);
  if ((await hideKey(keys, head.version.key)) !== outside.name) throw new Spoiled("it belongs to another key");
  return { ...head, entry: makeEntry(head, outside), wraps: parts.wraps, nonce: parts.nonce };
}

/**
 * @param {VeilKeys} keys
 * @param {Outside} outside
 * @param {Bytes} data
 */
async function hasProof(keys, outside, data) {
  const text = joinParts("head", [joinOutside(outside), data.subarray(0, -PROOF_BYTES)]);
  return crypto.subtle.verify("HMAC", keys.proofs, data.subarray(-PROOF_BYTES), text);
}

/**
 * @param {Head} head
 * @param {Outside} outside
 * @returns {Entry}
 */
function makeEntry({ version, value }, { timestamp, processId }) {
  const { key, mode, size } = version;
  return { ...version, timestamp, processId, mode: mode === null ? null : checkMode(key, mode, value, size) };
}
