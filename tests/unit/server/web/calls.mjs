// Calls functions of the page for a test: the argument of the module that imports this is a file of JSON, with a list of calls, which
// are the name of a function and its arguments. What they return is printed, or the error. Bytes are base64, times of files are texts.

import { readFileSync } from "node:fs";

export const unpack = (text) => new Uint8Array(Buffer.from(text, "base64"));
export const pack = (data) => (data === null ? null : Buffer.from(data).toString("base64"));

export function unpackDelivery({ entry, sequence, value, blocks, counts }) {
  const modTime = entry.modTime === null ? null : BigInt(entry.modTime);
  return { entry: { ...entry, modTime }, sequence, value: value === null ? null : unpack(value), blocks: unpack(blocks), counts };
}

export function packDelivery({ entry, sequence, value, blocks, counts }) {
  const modTime = entry.modTime === null ? null : String(entry.modTime);
  return { entry: { ...entry, modTime }, sequence, value: pack(value), blocks: pack(blocks), counts };
}

async function call(calls, [name, ...args]) {
  try {
    return { result: await calls[name](...args) };
  } catch (error) {
    return { error: error.constructor.name, message: error.message };
  }
}

export async function answer(calls) {
  const results = [];
  for (const each of JSON.parse(readFileSync(process.argv[2], "utf8"))) results.push(await call(calls, each));
  console.log(JSON.stringify(results));
}
