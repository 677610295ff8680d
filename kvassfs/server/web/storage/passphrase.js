/** What is kept under a passphrase: the secret of the store, and the key of the storage. */

import { Seal } from "../messages/seal.js";
import { decodeBase64, decodeText, drawRandom, encodeBase64, encodeText } from "../words/bytes.js";
import { KvassError, Undecipherable } from "../words/errors.js";

/** @import { Bytes } from "../words/bytes.js" */

/**
 * The bytes that a store is opened with: its own key, and that of its storage here. `sealed`: the hub has another key.
 * @typedef {{ key: Bytes, sealed: boolean, storage: Bytes }} Secrets
 */

/** Secrets, encrypted under a passphrase. @typedef {{ salt: Bytes, iterations: number, box: Bytes }} LockedSecrets */

/** As OWASP's Password Storage Cheat Sheet has it for PBKDF2 with HMAC-SHA-256 (2023): half a second of a phone. */
const ITERATIONS = 600_000;

const SALT_BYTES = 16;

/** The passphrase is another one. */
export class WrongPassphrase extends KvassError {
  constructor() {
    super("That is not the passphrase.");
  }
}

/**
 * Encrypt secrets under a passphrase.
 * @param {Secrets} secrets
 * @param {string} passphrase
 * @returns {Promise<LockedSecrets>}
 */
export async function lockSecrets({ key, sealed, storage }, passphrase) {
  const salt = drawRandom(SALT_BYTES);
  const text = JSON.stringify({ key: encodeBase64(key), sealed, storage: encodeBase64(storage) });
  const seal = new Seal(await stretch(passphrase, salt, ITERATIONS));
  return { salt, iterations: ITERATIONS, box: await seal.seal(encodeText(text)) };
}

/**
 * Decrypt secrets. Throws WrongPassphrase.
 * @param {LockedSecrets} locked
 * @param {string} passphrase
 * @returns {Promise<Secrets>}
 */
export async function unlockSecrets({ salt, iterations, box }, passphrase) {
  try {
    const text = decodeText(await new Seal(await stretch(passphrase, salt, iterations)).unseal(box));
    const { key, sealed, storage } = JSON.parse(text);
    return { key: decodeBase64(key) ?? new Uint8Array(), sealed, storage: decodeBase64(storage) ?? new Uint8Array() };
  } catch (error) {
    throw error instanceof Undecipherable ? new WrongPassphrase() : error;
  }
}

/**
 * Return the key that follows from a passphrase (PBKDF2, RFC 8018).
 * @param {string} passphrase
 * @param {Bytes} salt
 * @param {number} iterations
 */
async function stretch(passphrase, salt, iterations) {
  const base = await crypto.subtle.importKey("raw", encodeText(passphrase.normalize("NFC")), "PBKDF2", false, ["deriveKey"]);
  const options = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return crypto.subtle.deriveKey(options, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}
