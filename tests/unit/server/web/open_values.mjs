// Opens sealed values as the page of addresses does. Its argument is a file of JSON, with a list of cases:
// a fragment, and runs of pieces of the sealed value, each a file's part and how often it comes. It prints what was found.

import { open } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { openAddress, parseFragment } from "../../../../kvassfs/server/web/veil/addresses.js";
import { padBody, padLength } from "../../../../kvassfs/server/web/veil/layout.js";
import { readValue } from "../../../../kvassfs/server/web/veil/values.js";

const { pieces, lengths, cases } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const file = await open(pieces);

// Return what reads the sealed value that runs of pieces make: [offset, length, times].
function readRuns(runs) {
  return async (start, size) => {
    const read = new Uint8Array(size);
    let filled = 0;
    let at = 0;
    for (const [offset, length, times] of runs) {
      const end = at + length * times;
      while (filled < size && start + filled < end) {
        const within = (start + filled - at) % length;
        const count = Math.min(length - within, size - filled);
        await file.read(read, filled, count, offset + within);
        filled += count;
      }
      at = end;
    }
    return read.subarray(0, filled);
  };
}

async function openCase({ fragment, runs, most }) {
  const address = parseFragment(fragment);
  if (address === null) return { error: "no address" };
  const read = readRuns(runs);
  try {
    const size = runs.reduce((sum, [, length, times]) => sum + length * times, 0);
    const head = await openAddress(address, read, size);
    const hash = createHash("sha256");
    let length = 0;
    for await (const piece of readValue(head, read)) {
      hash.update(piece);
      length += piece.length;
      if (length >= most) break;
    }
    const { modTime, ...version } = head.version; // which JSON cannot have
    return { ...version, modTime: String(modTime), length, hash: hash.digest("hex") };
  } catch (error) {
    return { error: error.constructor.name, message: error.message };
  }
}

const results = [];
for (const each of cases) results.push(await openCase(each));
await file.close();
console.log(JSON.stringify({
  results,
  padded: lengths.map(padLength),
  bodies: lengths.map(padBody),
}));
