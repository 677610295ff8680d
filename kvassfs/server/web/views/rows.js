/** One line of a list: what an item is, its name, and what is to be known of it. */

import { chooseDisplay, findExtension, markName } from "../showing/media.js";
import { formatSize } from "../showing/sizes.js";
import { make, makeButton, makeIcon } from "./elements.js";
import { findFolder, locateItem } from "./routes.js";
import { describeTrouble, TEXTS } from "./texts.js";
import { formatWhen } from "./times.js";

/** @import { Item } from "../app/device.js" */
/** @import { Child } from "./elements.js" */

/** @type {Record<string, string>} */
const ICONS = { img: "image", audio: "music", video: "film" };

const NOTES = ["", "md", "markdown", "txt"];

/**
 * Return the name of the icon of an item.
 * @param {Item} item
 */
export function chooseIcon(item) {
  if (item.kind !== "file") return item.kind === "directory" ? "folder" : "link";
  const display = chooseDisplay(item);
  if (display !== null && display !== "text") return ICONS[display.element] ?? "file";
  return display === "text" && NOTES.includes(findExtension(item.key)) ? "note" : "file";
}

/**
 * Return a name in a box of its own, so that no letters of it reorder what is around.
 * @param {string} name
 * @param {string} [style]
 */
export function makeName(name, style = "name") {
  return make("bdi", { class: style, dir: "auto" }, markName(name) || TEXTS.nameless);
}

/**
 * Return the link to an item, with all that a list says of it.
 * @param {Item} item
 * @param {boolean} withFolder
 */
export function makeItemLink(item, withFolder) {
  return make(
    "a",
    { class: "open", href: locateItem(item.key) },
    make("span", { class: "line" }, makeName(item.name), ...makeMarks(item)),
    make("span", { class: "facts" }, ...makeFacts(item, withFolder)),
  );
}

/**
 * @param {Item} item
 * @param {boolean} withFolder
 * @returns {Child[]}
 */
function makeFacts(item, withFolder) {
  const folder = withFolder ? [makeName(findFolder(item.key) || TEXTS.root, "place")] : [];
  if (item.kind === "directory") return folder.length > 0 ? folder : [TEXTS.folder];
  const size = item.kind === "symlink" ? TEXTS.symlink : formatSize(item.size);
  return [...folder, make("span", {}, formatWhen(item.changed)), make("span", {}, size)];
}

/**
 * Return the marks of an item: text, as a colour or sign alone is not for everybody.
 * @param {Item} item
 */
export function makeMarks(item) {
  return [
    ...(item.isInConflict ? [make("span", { class: "mark conflict" }, makeIcon("warning"), TEXTS.conflictMark)] : []),
    ...(item.isUnsent ? [make("span", { class: "mark" }, makeIcon("clock"), TEXTS.unsentMark)] : []),
  ];
}

/**
 * Return a list of items that is short enough to be there as a whole.
 * @param {Item[]} items
 * @param {string} label
 */
export function makeItemList(items, label) {
  return make(
    "ul",
    { class: "rows", "aria-label": label },
    ...items.map((item) =>
      make(
        "li",
        { class: "row" },
        make("span", { class: "sign" }, makeIcon(chooseIcon(item))),
        makeItemLink(item, true),
      ),
    ),
  );
}

/**
 * Return what is said where a list is empty.
 * @param {string} icon
 * @param {string} sentence
 * @param {Child[]} others
 */
export function makeEmpty(icon, sentence, ...others) {
  return make("div", { class: "empty" }, makeIcon(icon), make("p", {}, sentence), ...others);
}

/**
 * Return the sentence about an error, with what tries it again.
 * @param {unknown} error
 * @param {() => unknown} [again]
 */
export function makeFailure(error, again) {
  const button = again && makeButton(TEXTS.tryAgain, "sync", again);
  return make("div", { class: "failure", role: "alert" }, make("p", {}, describeTrouble(error)), button);
}

/**
 * Return a text as it is.
 * @param {string} text
 */
export function makeSource(text) {
  return make("pre", { class: "source", dir: "auto", tabindex: "0" }, text);
}
