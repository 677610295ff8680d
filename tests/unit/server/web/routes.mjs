// Says what the modules of the views make of names. Its argument is a file of JSON, with keys, fragments, and names that browsers give
// themselves. It prints what was made of each.

import { readFileSync } from "node:fs";
import { nameDevice } from "../../../../kvassfs/server/web/views/browsers.js";
import { findFolder, findName, formatRoute, parseRoute } from "../../../../kvassfs/server/web/views/routes.js";

const { keys, fragments, agents } = JSON.parse(readFileSync(process.argv[2], "utf8"));

function describeKey(key) {
  const routes = ["", "edit", "conflicts"].map((view) => formatRoute(view, key)).concat(formatRoute("version", key, 12));
  return { routes, parsed: routes.map(parseRoute), folder: findFolder(key), name: findName(key) };
}

console.log(JSON.stringify({ keys: keys.map(describeKey), fragments: fragments.map(parseRoute), devices: agents.map(nameDevice) }));
