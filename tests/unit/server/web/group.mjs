// Computes in the group as the page does. Its argument is a file of JSON: `points` in hexadecimal that are decoded, and
// `products` of scalars in hexadecimal with the point before them. It prints each in hexadecimal, null for what is no point.

import { readFileSync } from "node:fs";
import { addPoints, decodePoint, encodePoint, multiplyPoint } from "../../../../kvassfs/server/web/pairing/ed25519.js";

const decode = (text) => decodePoint(new Uint8Array(Buffer.from(text, "hex")));
const encode = (point) => point && Buffer.from(encodePoint(point)).toString("hex");

const { points, products } = JSON.parse(readFileSync(process.argv[2], "utf8"));
console.log(JSON.stringify({
  points: points.map((text) => encode(decode(text))),
  doubled: points.map((text) => encode(decode(text) && addPoints(decode(text), decode(text)))),
  products: products.map(([text, scalar]) => encode(multiplyPoint(decode(text), BigInt(`0x${scalar}`)))),
}));
