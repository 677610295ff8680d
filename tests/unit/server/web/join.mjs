// Joins as the page does. Its argument is a file of JSON, with a list of cases: what is `shown` (a fragment or a code), the
// `name`, random `draws` and `responses` of the hub in base64, one after another. It prints what was sent, and what came of it.

import { readFileSync } from "node:fs";
import { parseCode } from "../../../../kvassfs/server/web/pairing/code.js";
import { receiveHandover } from "../../../../kvassfs/server/web/pairing/joiner.js";
import { CODE_WORDS } from "../../../../kvassfs/server/web/pairing/words.js";

const decode = (text) => new Uint8Array(Buffer.from(text, "base64"));
const encode = (data) => Buffer.from(data).toString("base64");

// Return what a call comes to, or the error that it ends with.
async function attempt(call) {
  try {
    return { result: await call() };
  } catch (error) {
    return { error: error.constructor.name, message: error.message };
  }
}

async function join({ shown, name, draws, responses }) {
  const random = draws === null ? undefined : (size) => decode(draws.shift()).subarray(0, size);
  const requests = [];
  const post = async (call, body) => {
    requests.push([call, encode(body)]);
    return decode(responses.shift());
  };
  const found = await attempt(async () => {
    const handover = await receiveHandover(post, shown, name, random);
    return { ...handover, key: encode(handover.key) };
  });
  return { ...found, requests };
}

const { cases, codes } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const joined = [];
for (const each of cases) joined.push(await join(each));
const parsed = await Promise.all(codes.map((code) => attempt(() => parseCode(code))));
console.log(JSON.stringify({ joined, codes: parsed, words: CODE_WORDS }));
