/** What other programs of this device have shared with the page: the service worker keeps it until it is saved here. */

import { markName } from "../showing/media.js";
import { formatSize } from "../showing/sizes.js";
import { joinFolder } from "./changes.js";
import { nameNote } from "./editor.js";
import { fill, make, makeButton, makeIcon, makeSubmit } from "./elements.js";
import { makePathField } from "./path_field.js";
import { locateItem } from "./routes.js";
import { makeEmpty, makeFailure, makeName } from "./rows.js";
import { TEXTS } from "./texts.js";

/** @import { Desk, View } from "./desk.js" */
/** @import { Waiting } from "./uploads.js" */

/** The cache of the service worker, in which other pages of this origin have theirs as well. */
const SHARED_CACHE = "kvass-shared";

/**
 * Ask where what was shared is saved.
 * @param {Desk} desk
 * @returns {View}
 */
export function showShared(desk) {
  const box = make("div", { class: "sharing" });
  readShared()
    .then((waiting) =>
      fill(box, ...(waiting.length === 0 ? [makeEmpty("share", TEXTS.nothingShared)] : makeOffer(desk, waiting))),
    )
    .catch((error) => fill(box, makeFailure(error)));
  return { title: TEXTS.sharedTitle, up: locateItem(""), tab: "", element: box };
}

/**
 * @param {Desk} desk
 * @param {Waiting[]} waiting
 */
function makeOffer(desk, waiting) {
  const field = makePathField(desk.device, TEXTS.saveIn, "", true);
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    const folder = field.read();
    desk.replace(locateItem(folder)); // at once, so that nothing is tapped twice
    const saved = await desk.uploads.add(waiting.map(({ key, value }) => ({ key: joinFolder(folder, key), value })));
    if (saved) await forgetShared(); // not before: the page may be closed in the middle
  };
  const discard = async () => {
    await forgetShared();
    desk.replace(locateItem(""));
  };
  const buttons = [makeSubmit(TEXTS.saveText, null), makeButton(TEXTS.throwAway, null, discard)];
  const rows = waiting.map(({ key, value }) =>
    make(
      "li",
      { class: "row" },
      make("span", { class: "sign" }, makeIcon("file")),
      make("div", { class: "open" }, makeName(markName(key)), make("span", { class: "facts" }, formatSize(value.size))),
    ),
  );
  return [
    make("ul", { class: "rows" }, ...rows),
    make("form", { onsubmit: submit }, field.element, make("div", { class: "buttons" }, ...buttons)),
  ];
}

/**
 * Return what was shared: each file, and the texts as one note.
 * @returns {Promise<Waiting[]>}
 */
async function readShared() {
  const cache = await caches.open(SHARED_CACHE);
  /** @type {Waiting[]} */
  const files = [];
  const texts = [];
  for (const request of await listShared(cache)) {
    const response = await cache.match(request);
    if (response === undefined) continue;
    const value = await response.blob();
    const name = decodeURIComponent(response.headers.get("X-Kvass-Name") ?? "");
    if (response.headers.get("X-Kvass-Field") === "files")
      files.push({ key: name.replaceAll("/", "_") || TEXTS.nameless, value });
    else texts.push(await value.text());
  }
  const text = texts.join("\n\n");
  return text === "" ? files : [{ key: nameNote(text), value: new Blob([text], { type: "text/plain" }) }, ...files];
}

/** Empty the cache of what was shared with this page. */
async function forgetShared() {
  const cache = await caches.open(SHARED_CACHE);
  await Promise.all((await listShared(cache)).map((request) => cache.delete(request)));
}

/**
 * Return what was shared with this page, in its order.
 * @param {Cache} cache
 */
async function listShared(cache) {
  const scope = new URL("shared/", location.href).href;
  return (await cache.keys()).filter(({ url }) => url.startsWith(scope));
}
