/** A field for a key or a folder, with the folders that there are, to be tapped. */

import { markName } from "../showing/media.js";
import { fill, make, makeButton } from "./elements.js";
import { findFolder } from "./routes.js";
import { TEXTS } from "./texts.js";

/** @import { Device } from "../app/device.js" */

/** Folders that are offered at most. */
const MOST_OFFERED = 50;

let countedFields = 0;

/**
 * Return the field, and what reads it.
 * @param {Device} device
 * @param {string} label
 * @param {string} start
 * @param {boolean} isFolder
 */
export function makePathField(device, label, start, isFolder) {
  const id = `path-${(countedFields += 1)}`;
  const input = make("input", {
    id,
    class: "first",
    type: "text",
    value: start,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    dir: "auto",
  });
  const folders = make("div", { class: "chips", role: "group", "aria-label": TEXTS.folders });
  const offer = () => offerFolders(device, input, folders, isFolder, offer);
  input.addEventListener("input", offer);
  offer();
  const element = make("div", { class: "field" }, make("label", { for: id }, label), input, folders);
  return { element, input, read: () => readPath(input.value, isFolder) };
}

/**
 * @param {string} text
 * @param {boolean} isFolder
 */
function readPath(text, isFolder) {
  const path = text.trim();
  return isFolder && path !== "" ? path.replace(/\/*$/, "/") : path;
}

/**
 * Offer the folders of the one that stands in the field.
 * @param {Device} device
 * @param {HTMLInputElement} input
 * @param {HTMLElement} folders
 * @param {boolean} isFolder
 * @param {() => void} again
 */
function offerFolders(device, input, folders, isFolder, again) {
  const at = input.value.lastIndexOf("/") + 1;
  const [folder, name] = [input.value.slice(0, at), input.value.slice(at)];
  /** @param {string} path */
  const enter = (path) => {
    input.value = isFolder ? path : path + name;
    again();
    input.focus();
  };
  const found = device
    .list(folder)
    .filter(({ kind, key }) => kind === "directory" && (!isFolder || key.slice(at).startsWith(name)));
  fill(
    folders,
    folder !== "" && makeButton(TEXTS.folderUp, "back", () => enter(findFolder(folder)), { class: "chip" }),
    ...found
      .slice(0, MOST_OFFERED)
      .map((item) => makeButton(markName(item.name), "folder", () => enter(item.key), { class: "chip" })),
  );
}
