/** Decides from the name of a value how it is shown. What is shown has a type that runs no scripts where the page puts it. */

import { isSymlink } from "../words/entry.js";

/** @import { Version } from "../veil/attributes.js" */

/**
 * The element that shows a value, and the media type that it is given there.
 * @typedef {{ element: "img" | "audio" | "video", type: string }} Medium
 */

/**
 * How a value is shown: so, or as `text` if it is some, or not at all.
 * @typedef {Medium | "text" | null} Display
 */

/** @type {Record<string, string>} */
const TYPES = {
  avif: "image/avif",
  bmp: "image/bmp",
  gif: "image/gif",
  ico: "image/vnd.microsoft.icon",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  png: "image/png",
  svg: "image/svg+xml",
  webp: "image/webp",
  aac: "audio/aac",
  flac: "audio/flac",
  m4a: "audio/mp4",
  mp3: "audio/mpeg",
  oga: "audio/ogg",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  wav: "audio/wav",
  weba: "audio/webm",
  m4v: "video/mp4",
  mov: "video/mp4",
  mp4: "video/mp4",
  ogv: "video/ogg",
  webm: "video/webm",
};

/** Bytes of the longest text that is shown; a longer one is for an editor. */
const LONGEST_TEXT = 1024 * 1024;

/** What hides or reorders characters of a name, so that it seems to end otherwise. */
const MISLEADING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * Return the name of a value for a file: the last part of its key.
 * @param {string} key
 */
export function nameFile(key) {
  const name = key.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return name.replace(MISLEADING, "_") || "value";
}

/**
 * Return a name as it can stand on a page: what would be invisible, or reorder it, is seen as a sign.
 * @param {string} name
 */
export function markName(name) {
  return name.replace(MISLEADING, "\ufffd");
}

/**
 * Return the extension of a key, in lower case, "" if it has none.
 * @param {string} key
 */
export function findExtension(key) {
  return /[^/]\.([A-Za-z0-9]+)\/*$/.exec(key)?.[1]?.toLowerCase() ?? "";
}

/**
 * Return how a version is shown.
 * @param {Pick<Version, "key" | "size" | "mode">} version
 * @returns {Display}
 */
export function chooseDisplay({ key, size, mode }) {
  const extension = isSymlink({ mode }) ? "" : findExtension(key);
  const type = Object.hasOwn(TYPES, extension) ? TYPES[extension] : undefined;
  if (type === undefined) return size <= LONGEST_TEXT && extension !== "pdf" ? "text" : null;
  if (type.startsWith("image/")) return { element: "img", type };
  return { element: type.startsWith("audio/") ? "audio" : "video", type };
}

/**
 * Return the text that a value is, `null` if it is none.
 * @param {Blob} value
 */
export async function readText(value) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await value.arrayBuffer());
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}
