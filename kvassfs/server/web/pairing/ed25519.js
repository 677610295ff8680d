/**
 * The group of edwards25519 (RFC 8032, section 5.1), as far as SPAKE2 needs it.
 *
 * How long this takes depends on the numbers, so who measures it exactly may learn of them. That is accepted: each scalar
 * is drawn for one pairing, and that of a code, which holds for ten minutes and one try, is used twice, by a page on
 * somebody's own device.
 */

/** @import { Bytes } from "../words/bytes.js" */

/**
 * A point in extended coordinates: x = X/Z, y = Y/Z, x·y = T/Z.
 * @typedef {readonly [bigint, bigint, bigint, bigint]} Point
 */

/** The prime of the field. */
const FIELD_PRIME = 2n ** 255n - 19n;

/** How many points the group has. */
export const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** What makes the curve: -x² + y² = 1 + CURVE_D·x²·y². */
const CURVE_D = reduceToField(-121665n * invertInField(121666n));

/** A number whose square is -1. */
const ROOT_OF_MINUS_ONE = raiseInField(2n, (FIELD_PRIME - 1n) / 4n);

/** @type {Point} */
const NEUTRAL_POINT = [0n, 1n, 1n, 0n];

const SIGN_BIT = 1n << 255n;
const POINT_BYTES = 32;

/**
 * Return the number of the field that is the same modulo its prime.
 * @param {bigint} number
 */
function reduceToField(number) {
  const rest = number % FIELD_PRIME;
  return rest < 0n ? rest + FIELD_PRIME : rest;
}

/**
 * @param {bigint} base
 * @param {bigint} exponent
 */
function raiseInField(base, exponent) {
  let power = 1n;
  let square = reduceToField(base);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) power = reduceToField(power * square);
    square = reduceToField(square * square);
  }
  return power;
}

/** @param {bigint} number */
function invertInField(number) {
  return raiseInField(number, FIELD_PRIME - 2n);
}

/**
 * Return the sum of two points, which may be the same (add-2008-hwcd-3 of the Explicit-Formulas Database).
 * @param {Point} one
 * @param {Point} other
 * @returns {Point}
 */
export function addPoints([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = (y1 - x1) * (y2 - x2);
  const b = (y1 + x1) * (y2 + x2);
  const c = reduceToField(2n * t1 * t2) * CURVE_D;
  const d = 2n * z1 * z2;
  const e = reduceToField(b - a);
  const f = reduceToField(d - c);
  const g = reduceToField(d + c);
  const h = reduceToField(b + a);
  return [reduceToField(e * f), reduceToField(g * h), reduceToField(f * g), reduceToField(e * h)];
}

/**
 * Return a point so many times, 0 or more.
 * @param {Point} point
 * @param {bigint} scalar
 * @returns {Point}
 */
export function multiplyPoint(point, scalar) {
  let sum = NEUTRAL_POINT;
  let double = point;
  for (let left = scalar; left > 0n; left >>= 1n) {
    if (left & 1n) sum = addPoints(sum, double);
    double = addPoints(double, double);
  }
  return sum;
}

/** @param {Point} point */
function isNeutral([x, y, z]) {
  return x === 0n && y === z;
}

/**
 * Return the 32 bytes of a point.
 * @param {Point} point
 */
export function encodePoint([x, y, z]) {
  const inverse = invertInField(z);
  const sign = reduceToField(x * inverse) & 1n ? SIGN_BIT : 0n;
  const data = new Uint8Array(POINT_BYTES);
  let left = reduceToField(y * inverse) | sign;
  for (let at = 0; at < POINT_BYTES; at += 1, left >>= 8n) data[at] = Number(left & 255n);
  return data;
}

/**
 * Return the point that bytes are, if it is one of the group and not the neutral one; `null` if not.
 * @param {Bytes} data
 * @returns {Point | null}
 */
export function decodePoint(data) {
  if (data.length !== POINT_BYTES) return null;
  const number = readNumber(Uint8Array.from(data).reverse());
  const y = number & (SIGN_BIT - 1n);
  const x = y < FIELD_PRIME ? recoverX(y, (number & SIGN_BIT) !== 0n) : null;
  if (x === null) return null;
  /** @type {Point} */
  const point = [x, y, 1n, reduceToField(x * y)];
  return !isNeutral(point) && isNeutral(multiplyPoint(point, GROUP_ORDER)) ? point : null;
}

/**
 * Return the x that a point of the curve has with y, odd or even; `null` if there is none.
 * @param {bigint} y
 * @param {boolean} odd
 */
function recoverX(y, odd) {
  const square = reduceToField((y * y - 1n) * invertInField(CURVE_D * y * y + 1n));
  let x = raiseInField(square, (FIELD_PRIME + 3n) / 8n);
  if (reduceToField(x * x) !== square) x = reduceToField(x * ROOT_OF_MINUS_ONE);
  if (reduceToField(x * x) !== square || (x === 0n && odd)) return null;
  return (x & 1n) === (odd ? 1n : 0n) ? x : FIELD_PRIME - x;
}

/**
 * Return the number that bytes are, the highest one first.
 * @param {Bytes} data
 */
export function readNumber(data) {
  return data.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}
