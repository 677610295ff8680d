/** What follows from the secret that both sides have: keys, confirmations and seals, as in kvassfs/pairing/agreement.py. */

import { joinBytes } from "../words/bytes.js";
import { WrongCode } from "./errors.js";

/** @import { Bytes, Random } from "../words/bytes.js" */

/** The version of pairing. */
export const PAIRING_VERSION = 1;

/** Bytes in a share: what tells its kind, and 32 more. */
export const SHARE_BYTES = 33;

export const CONFIRMATION_BYTES = 32;

const SEAL_NONCE_BYTES = 12;
const DERIVED_BITS = 256;

/**
 * Return the bytes of a text that names what something is for.
 * @param {string} purpose
 * @param {number} number
 */
export function labelPairing(purpose, number) {
  return new TextEncoder().encode(`kvass pair ${PAIRING_VERSION} ${purpose} ${number}`);
}

/**
 * Return `bits` bits that follow from a secret (RFC 5869, with SHA-256 and without salt).
 * @param {Bytes} secret
 * @param {Bytes} info
 * @param {number} bits
 */
export async function deriveBits(secret, info, bits) {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const options = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return new Uint8Array(await crypto.subtle.deriveBits(options, key, bits));
}

/** The secret of a joiner and a device. */
export class PairingSecret {
  #secret;
  #number;
  #shares;
  #form;

  /**
   * @param {Bytes} secret
   * @param {number} number
   * @param {Bytes} shares those of both sides, the device's first
   * @param {string} form stands before the purposes of the keys
   */
  constructor(secret, number, shares, form = "") {
    this.#secret = secret;
    this.#number = number;
    this.#shares = shares;
    this.#form = form;
  }

  /**
   * Return what the joiner sends behind its share: its confirmation, and a text that is sealed.
   * @param {Bytes} text
   * @param {Random} random
   */
  async send(text, random) {
    const confirming = await this.#importConfirming("joiner", "sign");
    const confirmation = new Uint8Array(await crypto.subtle.sign("HMAC", confirming, this.#shares));
    const iv = random(SEAL_NONCE_BYTES);
    const key = await this.#importSealing("joiner", "encrypt");
    const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, text));
    return joinBytes([confirmation, iv, sealed]);
  }

  /**
   * Check the confirmation of the device, and then open what it has sealed. Throws WrongCode.
   * @param {Bytes} answer
   */
  async receive(answer) {
    const confirming = await this.#importConfirming("device", "verify");
    const confirmation = answer.subarray(0, CONFIRMATION_BYTES);
    if (!(await crypto.subtle.verify("HMAC", confirming, confirmation, this.#shares))) throw new WrongCode();
    const sealed = answer.subarray(CONFIRMATION_BYTES);
    const options = { name: "AES-GCM", iv: sealed.subarray(0, SEAL_NONCE_BYTES) };
    const key = await this.#importSealing("device", "decrypt");
    try {
      return new Uint8Array(await crypto.subtle.decrypt(options, key, sealed.subarray(SEAL_NONCE_BYTES)));
    } catch {
      throw new WrongCode();
    }
  }

  /**
   * @param {string} role
   * @param {KeyUsage} usage
   */
  async #importConfirming(role, usage) {
    const key = await this.#derive(`${role} confirmation`);
    return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, [usage]);
  }

  /**
   * @param {string} role
   * @param {KeyUsage} usage
   */
  async #importSealing(role, usage) {
    return crypto.subtle.importKey("raw", await this.#derive(`${role} key`), "AES-GCM", false, [usage]);
  }

  /** @param {string} purpose */
  #derive(purpose) {
    return deriveBits(this.#secret, labelPairing(`${this.#form}${purpose}`, this.#number), DERIVED_BITS);
  }
}
