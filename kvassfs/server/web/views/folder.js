/** The files of a folder, those that changed last, and the way to them. */

import { markName } from "../showing/media.js";
import { makeNewButton } from "./adding.js";
import { moveItems, removeItems } from "./changes.js";
import { showActions } from "./dialogs.js";
import { fill, make, makeIcon, makeIconButton } from "./elements.js";
import { Picking } from "./picking.js";
import { findFolder, findName, locateItem } from "./routes.js";
import { makeEmpty } from "./rows.js";
import { TEXTS } from "./texts.js";
import { VirtualList } from "./virtual_list.js";

/** @import { Item } from "../app/device.js" */
/** @import { Desk, View } from "./desk.js" */

/** How many of the newest files are listed. */
const MOST_LATEST = 1000;

/**
 * Show what is in a directory.
 * @param {Desk} desk
 * @param {string} prefix
 * @param {HTMLElement} scroller
 * @returns {View}
 */
export function showFolder(desk, prefix, scroller) {
  const list = makeListView(desk, scroller, markName(findName(prefix)) || TEXTS.files, () => desk.device.list(prefix), {
    withFolder: false,
    empty: () => makeEmpty("folder", prefix === "" ? TEXTS.emptyStore : TEXTS.emptyFolder),
    others: [makeNewButton(desk, prefix)],
  });
  /** @type {View} */
  const view = { ...list, tab: "", take: (files) => desk.uploads.addFiles(prefix, files) };
  if (prefix === "") return view;
  const more = makeIconButton(TEXTS.moreActions, "dots", () => offerForFolder(desk, prefix), {
    "aria-haspopup": "dialog",
  });
  return { ...view, path: makePath(prefix), up: locateItem(findFolder(prefix)), actions: [more] };
}

/**
 * Show the files that changed last.
 * @param {Desk} desk
 * @param {HTMLElement} scroller
 * @returns {View}
 */
export function showLatest(desk, scroller) {
  const list = makeListView(desk, scroller, TEXTS.latest, () => desk.device.listLatest(MOST_LATEST), {
    withFolder: true,
    empty: () => makeEmpty("clock", TEXTS.emptyStore),
    others: [makeNewButton(desk, "")],
  });
  return { ...list, tab: "latest", take: (files) => desk.uploads.addFiles("", files) };
}

/**
 * Show a list that follows the store, of which items can be chosen.
 * @param {Desk} desk
 * @param {HTMLElement} scroller
 * @param {string} title
 * @param {() => Item[]} read
 * @param {{ withFolder: boolean, empty: () => HTMLElement, others: HTMLElement[] }} options
 * @returns {View}
 */
export function makeListView(desk, scroller, title, read, { withFolder, empty, others }) {
  const picking = new Picking(desk, () => list.update());
  const list = new VirtualList(title, picking.keys, (key) => picking.toggle(key), withFolder);
  const hint = make("div");
  const update = () => {
    const items = read();
    list.element.hidden = items.length === 0;
    fill(hint, items.length === 0 && empty());
    list.show(items);
    if (picking.keys.size > 0) picking.keepOnly((key) => desk.device.get(key) !== null);
  };
  /** @param {KeyboardEvent} event */
  const press = (event) => event.key === "Escape" && picking.clear();
  const element = make("div", { class: "listing", onkeydown: press }, hint, list.element, picking.element, ...others);
  update();
  return {
    title,
    element,
    update,
    enter: () => list.attach(scroller),
    leave: () => list.detach(),
    first: () => list.reveal(desk.shown),
  };
}

/**
 * Return the folders above a key, and how one gets there; nothing where "up" alone leads there.
 * @param {string} key
 */
export function makePath(key) {
  if (findFolder(key) === "") return undefined;
  const steps = [make("li", {}, make("a", { href: locateItem("") }, TEXTS.files))];
  for (let folder = findFolder(key); folder !== ""; folder = findFolder(folder)) {
    const link = make(
      "a",
      { href: locateItem(folder) },
      make("bdi", { dir: "auto" }, markName(findName(folder)) || TEXTS.nameless),
    );
    steps.splice(1, 0, make("li", {}, makeIcon("back"), link));
  }
  return make("nav", { class: "path", "aria-label": TEXTS.pathHint }, make("ol", {}, ...steps));
}

/**
 * @param {Desk} desk
 * @param {string} prefix
 */
function offerForFolder(desk, prefix) {
  const leave = () => desk.device.get(prefix) === null && desk.replace(locateItem(findFolder(prefix)));
  return showActions(markName(findName(prefix)), [
    { label: TEXTS.moveOrRename, icon: "move", act: () => moveItems(desk, [prefix], leave) },
    {
      label: TEXTS.remove,
      icon: "trash",
      isGrave: true,
      act: () => removeItems(desk, [prefix], leave),
    },
  ]);
}
