/** Pushes and pulls as the bytes that are sealed, and the responses to them, of version 2 alone: kvassfs/sync/messages.py. */

import { decodeBase64 } from "../words/bytes.js";
import { InvalidMessage } from "../words/errors.js";
import { isEcho } from "../words/share_link.js";
import { decodeEntries, encodeEntry } from "./entry_messages.js";
import { areNumbers, decodeJson, encodeJson, encodeNames, readNames, readNumber, requireKind } from "./message_fields.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Delivery } from "../words/entry.js" */
/** @import { Names } from "./message_fields.js" */

/**
 * A process that serves a store as the hub: a random mark, and the greatest Lamport clock that it told.
 * @typedef {{ mark: number, told: number }} Incarnation
 */

/**
 * What a hub says to a push. `digest` names the request; `missing` are the hashes, joined, of blocks without which it did not merge the
 * entries that have them. The last of its `incarnations` is the one that responds. `time` is in µs since the epoch.
 * @typedef {{
 *   digest: string, clock: number, processId: number, time: number, missing: Bytes, incarnations: Incarnation[],
 * }} PushResponse
 */

/**
 * What a device asks its hub for: entries from the sequence `first` on that `processId` did not write (0 = nobody). `device` is its own process
 * id. The hub may wait for `wait` seconds until there is something; `maxBytes` limits the page.
 * @typedef {{ first: number, processId: number, wait: number, maxBytes: number, device: number, names: Names }} PullRequest
 */

/**
 * What a hub says to a pull: what there is up to the sequence `cursor`; `more`: there are further entries. `written` is the greatest
 * counter of an entry that the asking device has written. `unreadable` are the keys of entries that cannot be read.
 * @typedef {{
 *   deliveries: Delivery[], cursor: number, digest: string, more: boolean, clock: number, processId: number, time: number,
 *   incarnations: Incarnation[], written: number, names: Names, unreadable: string[],
 * }} PullResponse
 */

/** The version of the protocol. */
const PROTOCOL_VERSION = 2;

// Every message names its kind; what names none must have no other fields than these.
const PUSH_RESPONSE_FIELDS = new Set(["Request", "Counter", "ProcessID", "Time", "Incarnations", "Missing"]);
const PULL_RESPONSE_FIELDS = new Set([
  ...["Request", "Entries", "Counter", "More", "Clock", "ProcessID", "Time", "Incarnations", "Written", "Names"],
]);

/**
 * Return the message that pushes entries.
 * @param {Delivery[]} deliveries
 */
export function encodePush(deliveries) {
  return encodeJson(deliveries.map((each) => ({ ...encodeEntry(each, each.entry.counter), Type: "push" })));
}

/**
 * Return the response to a push. Throws InvalidMessage.
 * @param {Bytes} plaintext
 * @returns {PushResponse}
 */
export function decodePushResponse(plaintext) {
  const message = requireKind(decodeJson(plaintext), "push answer", PUSH_RESPONSE_FIELDS);
  const { Request: digest, Missing: text = "", Incarnations: incarnations = [] } = message;
  const missing = decodeBase64(text);
  if (missing === null) throw new InvalidMessage("its list of missing blocks cannot be read");
  return {
    digest: String(digest),
    clock: readNumber(message, "Counter"),
    processId: readNumber(message, "ProcessID", 0),
    time: readNumber(message, "Time", 0),
    missing,
    incarnations: decodeIncarnations(incarnations),
  };
}

/**
 * @param {unknown} pairs
 * @returns {Incarnation[]}
 */
function decodeIncarnations(pairs) {
  if (!Array.isArray(pairs)) throw new InvalidMessage("its incarnations cannot be read");
  return pairs.map((pair) => {
    const [mark, told, more] = areNumbers(pair, 0) ? pair : [];
    if (mark === undefined || told === undefined || more !== undefined) {
      throw new InvalidMessage("its incarnations cannot be read");
    }
    return { mark, told };
  });
}

/**
 * Return the message that asks for entries.
 * @param {PullRequest} request
 */
export function encodePullRequest({ first, processId, wait, maxBytes, device, names }) {
  return encodeJson({
    Counter: first,
    ProcessID: processId,
    Version: PROTOCOL_VERSION,
    Wait: wait,
    MaxBytes: maxBytes,
    Device: device,
    Type: "pull",
    ...encodeNames(names),
  });
}

/**
 * Return the response to a pull, without echoes. Throws InvalidMessage. `leaveOut`: entries that cannot be read are left out; otherwise
 * the response is refused.
 * @param {Bytes} plaintext
 * @param {boolean} leaveOut
 * @returns {PullResponse}
 */
export function decodePullResponse(plaintext, leaveOut) {
  const decoded = decodeJson(plaintext);
  if (decoded === null || Array.isArray(decoded)) throw new InvalidMessage("it is a hub of the original program");
  const message = requireKind(decoded, "pull answer", PULL_RESPONSE_FIELDS);
  const { Entries: entries, Request: digest, Incarnations: incarnations = [] } = message;
  if (entries === undefined) throw new InvalidMessage("it has no entries");
  /** @type {string[]} */
  const unreadable = [];
  const deliveries = decodeEntries(entries, leaveOut ? unreadable : null);
  return {
    deliveries: deliveries.filter(({ entry }) => !isEcho(entry.key)),
    cursor: readNumber(message, "Counter"),
    digest: String(digest),
    more: message["More"] === true,
    clock: readNumber(message, "Clock", 0),
    processId: readNumber(message, "ProcessID", 0),
    time: readNumber(message, "Time", 0),
    incarnations: decodeIncarnations(incarnations),
    written: readNumber(message, "Written", 0),
    names: readNames(message),
    unreadable,
  };
}
