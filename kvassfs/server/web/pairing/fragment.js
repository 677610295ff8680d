/** The fragment of the address that was scanned: kvassfs/pairing/fragment.py, and the joiner that has it. */

import { decodeUrl, joinBytes } from "../words/bytes.js";
import { InvalidFragment, WrongCode } from "./errors.js";
import { PairingSecret, SHARE_BYTES } from "./secret.js";

/** @import { Bytes, Random } from "../words/bytes.js" */

/**
 * A fragment: the number of the mailbox, and the key.
 * @typedef {{ number: number, key: Bytes }} PairingFragment
 */

/** The number of the mailbox in a byte, 1 to 99, and 16 bytes of the key, in base64url: no code begins with a letter. */
const FRAGMENT_FORM = /^[A-Y][A-Za-z0-9_-]{22}$/;

const LARGEST_MAILBOX = 99;

/** The first byte of what a joiner sends that has a fragment. */
const FRAGMENT_SIDE = Uint8Array.of(0x46);

/**
 * Return true if what stands behind a `#` has the form of a fragment.
 * @param {string} text
 */
export function isFragment(text) {
  return FRAGMENT_FORM.test(text);
}

/**
 * Return the fragment that stands behind a `#`. Throws InvalidFragment if it is none.
 * @param {string} text
 * @returns {PairingFragment}
 */
export function parsePairing(text) {
  if (!isFragment(text)) throw new InvalidFragment();
  const data = decodeUrl(text);
  const number = data[0] ?? 0;
  if (number < 1 || number > LARGEST_MAILBOX) throw new InvalidFragment();
  return { number, key: data.subarray(1) };
}

/** The side of a joiner that has a fragment, for one use. */
export class FragmentSide {
  #fragment;

  /**
   * @param {PairingFragment} fragment
   * @param {Random} random
   */
  constructor(fragment, random) {
    this.#fragment = fragment;
    this.number = fragment.number;
    this.share = joinBytes([FRAGMENT_SIDE, random(SHARE_BYTES - 1)]);
  }

  /**
   * Return the secret that both sides have. Throws WrongCode if the device has sent no share.
   * @param {Bytes} share
   */
  async agree(share) {
    if (share.length !== SHARE_BYTES) throw new WrongCode();
    return new PairingSecret(this.#fragment.key, this.number, joinBytes([share, this.share]), "fragment ");
  }
}
