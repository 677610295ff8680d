/** The messages of pairing that a joiner sends and gets, with the checks of kvassfs/pairing/messages.py. */

import { decodeBase64, decodeText, encodeBase64 } from "../words/bytes.js";
import { CannotPair, OtherProtocol } from "./errors.js";
import { PAIRING_VERSION, SHARE_BYTES } from "./secret.js";

/** @import { Bytes } from "../words/bytes.js" */

/**
 * What a device hands over; `scratch` is null where it says nothing of scratch patterns.
 * @typedef {{ name: string, key: Bytes, remote: string, publicUrl: string, scratch: string[] | null, sealed: boolean }} Handover
 */

/**
 * What the hub says to a joiner.
 * @typedef {{ share: Bytes, answer: Bytes | null }} JoinResponse
 */

/** Bytes of a request or response, of what is in it in base64, and of the key. */
export const MOST_JOIN = 4096;
const MOST_SECRET = 2900;
const STORE_KEY_BYTES = 32;

/** Characters of a name. */
const LONGEST_NAME = 64;

/** What Python calls not printable: all of it that is no space. */
const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/gu;

/**
 * Return the request for the mailbox `number`, with the message that is left there, if there is one yet.
 * @param {number} number
 * @param {Bytes | null} message
 */
export function encodeJoinRequest(number, message) {
  const encoded = message === null ? null : encodeBase64(message);
  return encodeMessage({ Version: PAIRING_VERSION, Mailbox: number, Message: encoded });
}

/**
 * Return the response to a joiner, which anybody may have sent. Throws CannotPair if it is none.
 * @param {Bytes} body
 * @returns {JoinResponse}
 */
export function decodeJoinResponse(body) {
  const message = body.length > MOST_JOIN ? null : decodeMessage(body);
  const share = message && readBytes(message.Share ?? "", SHARE_BYTES);
  const answer = message && readBytes(message.Answer ?? "", MOST_SECRET);
  if (!message || !share || !answer) throw new CannotPair("its answer cannot be read");
  return { share, answer: message.Answer === null || message.Answer === undefined ? null : answer };
}

/**
 * Return what the joiner says of itself.
 * @param {string} name
 */
export function encodeIntroduction(name) {
  const shown = [...name.replace(/\p{Surrogate}/gu, "")].slice(0, LONGEST_NAME).join("");
  return encodeMessage({ Type: "introduction", Name: shown });
}

/**
 * Return what a device hands over. Throws OtherProtocol if it is no such message.
 * @param {Bytes} plaintext
 * @returns {Handover}
 */
export function decodeHandover(plaintext) {
  const message = decodeMessage(plaintext);
  if (message === null) throw new OtherProtocol("it is no JSON object");
  if (message.Type !== "handover") throw new OtherProtocol("its Type is not “handover”");
  const key = readBytes(message.Key, STORE_KEY_BYTES);
  if (key?.length !== STORE_KEY_BYTES) throw new OtherProtocol("its Key is none");
  return {
    name: readText(message, "Name", LONGEST_NAME).replace(UNPRINTABLE, ""),
    key,
    remote: readText(message, "Remote", MOST_SECRET),
    publicUrl: readText(message, "PublicUrl", MOST_SECRET),
    scratch: readPatterns(message.Scratch),
    sealed: message.Sealed === true,
  };
}

/** @param {Record<string, unknown>} message */
function encodeMessage(message) {
  return new TextEncoder().encode(JSON.stringify(message));
}

/**
 * Return the JSON object that bytes are, `null` if they are none.
 * @param {Bytes} data
 * @returns {Record<string, unknown> | null}
 */
function decodeMessage(data) {
  try {
    const message = JSON.parse(decodeText(data));
    return typeof message === "object" && !Array.isArray(message) ? message : null;
  } catch {
    return null;
  }
}

/**
 * Return the bytes of a field, `null` if it has none, or too many.
 * @param {unknown} text
 * @param {number} most
 */
function readBytes(text, most) {
  const data = decodeBase64(text);
  return data !== null && data.length <= most ? data : null;
}

/**
 * @param {Record<string, unknown>} message
 * @param {string} name
 * @param {number} longest
 */
function readText(message, name, longest) {
  const text = message[name] === undefined ? "" : message[name];
  if (typeof text !== "string" || [...text].length > longest || /\p{Surrogate}/u.test(text)) {
    throw new OtherProtocol(`its ${name} is no text that it can have`);
  }
  return text;
}

/**
 * @param {unknown} patterns
 * @returns {string[] | null}
 */
function readPatterns(patterns) {
  if (patterns === undefined || patterns === null) return null;
  if (!Array.isArray(patterns) || !patterns.every((pattern) => typeof pattern === "string")) {
    throw new OtherProtocol("its Scratch is no list of patterns");
  }
  return patterns;
}
