// Joins as the page at its first argument does, by what the second one is: a fragment or a code. It prints what came of it.

import { receiveHandover } from "../../../../kvassfs/server/web/pairing/joiner.js";
import { reachMailboxes } from "../../../../kvassfs/server/web/pairing/post.js";

const [, , page, shown] = process.argv;
try {
  const handover = await receiveHandover(reachMailboxes(new URL("../", page)), shown, "phone");
  const result = { ...handover, key: Buffer.from(handover.key).toString("base64") };
  console.log(JSON.stringify({ result }));
} catch (error) {
  console.log(JSON.stringify({ error: error.constructor.name, message: error.message }));
}
