/** Agreeing on a secret by a code that was typed: the joiner's side of SPAKE2, as in kvassfs/pairing/agreement.py. */

import { areEqual, joinBytes } from "../words/bytes.js";
import { GROUP_ORDER, addPoints, decodePoint, encodePoint, multiplyPoint, readNumber } from "./ed25519.js";
import { WrongCode } from "./errors.js";
import { PairingSecret, SHARE_BYTES, deriveBits, labelPairing } from "./secret.js";

/** @import { Bytes, Random } from "../words/bytes.js" */
/** @import { Code } from "./code.js" */
/** @import { Point } from "./ed25519.js" */

/** The points that the package `spake2` 0.9 has: what scalars are of, and what hides the shares of device and joiner. */
const BASE_POINT = "5866666666666666666666666666666666666666666666666666666666666666";
const DEVICE_BLINDING = "15cfd18e385952982b6a8f8c7854963b58e34388c8e6dae891db756481a02312";
const JOINER_BLINDING = "f04f2e7eb734b2a8f8b472eaf9c3c632576ac64aea650b496a8a20ff00e583c3";

const DEVICE_SIDE = 0x41;
const JOINER_SIDE = Uint8Array.of(0x42);

/** Bits that a scalar is made of, so that each is as likely as any other: of a code, and of a random one. */
const PASSWORD_BITS = 384;
const SCALAR_BYTES = 64;

/**
 * Return the point that is written so.
 * @param {string} text
 */
function readPoint(text) {
  const point = decodePoint(Uint8Array.from(text.match(/../g) ?? [], (digits) => parseInt(digits, 16)));
  if (point === null) throw new Error(`${text} is no point`);
  return point;
}

/**
 * Return the scalar of a code.
 * @param {Bytes} password
 */
async function deriveScalar(password) {
  return readNumber(await deriveBits(password, new TextEncoder().encode("SPAKE2 pw"), PASSWORD_BITS)) % GROUP_ORDER;
}

/** @param {Bytes} data */
async function hash(data) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

/** The side of a joiner that has a code, for one use. */
export class CodeSide {
  #password;
  #passwordScalar;
  #scalar;

  /**
   * @param {number} number
   * @param {Bytes} password
   * @param {bigint} passwordScalar
   * @param {bigint} scalar
   */
  constructor(number, password, passwordScalar, scalar) {
    this.number = number;
    this.#password = password;
    this.#passwordScalar = passwordScalar;
    this.#scalar = scalar;
    const blinding = multiplyPoint(readPoint(JOINER_BLINDING), passwordScalar);
    const point = addPoints(multiplyPoint(readPoint(BASE_POINT), scalar), blinding);
    this.share = joinBytes([JOINER_SIDE, encodePoint(point)]);
  }

  /**
   * Return the secret that follows from the share of the device; another one each time that the codes differ.
   *
   * Throws WrongCode if it is no share.
   * @param {Bytes} share
   */
  async agree(share) {
    const point = share.length === SHARE_BYTES && share[0] === DEVICE_SIDE ? decodePoint(share.subarray(1)) : null;
    if (point === null || areEqual(share.subarray(1), this.share.subarray(1))) throw new WrongCode();
    const secret = await this.#hashTranscript(share, this.#findCommon(point));
    return new PairingSecret(secret, this.number, joinBytes([share, this.share]));
  }

  /**
   * Return the bytes of the point that both sides find.
   * @param {Point} point
   */
  #findCommon(point) {
    const blinding = multiplyPoint(readPoint(DEVICE_BLINDING), GROUP_ORDER - this.#passwordScalar);
    return encodePoint(multiplyPoint(addPoints(point, blinding), this.#scalar));
  }

  /**
   * @param {Bytes} share
   * @param {Bytes} common
   */
  async #hashTranscript(share, common) {
    const known = [this.#password, labelPairing("device", this.number), labelPairing("joiner", this.number)];
    const hashes = await Promise.all(known.map(hash));
    return hash(joinBytes([...hashes, share.subarray(1), this.share.subarray(1), common]));
  }
}

/**
 * Return the side of a joiner that has `code`.
 * @param {Code} code
 * @param {Random} random
 */
export async function startAgreement(code, random) {
  const password = new TextEncoder().encode(code.text);
  const scalar = readNumber(random(SCALAR_BYTES)) % GROUP_ORDER;
  return new CodeSide(code.number, password, await deriveScalar(password), scalar);
}
