/** Shows a value as far as that is safe; what cannot be shown is saved. */

import { chooseDisplay, findExtension, nameFile, readText } from "../showing/media.js";
import { make, makeButton } from "./elements.js";
import { makeFrame } from "./frames.js";
import { renderMarkdown } from "./markdown.js";
import { makeEmpty, makeSource } from "./rows.js";
import { TEXTS } from "./texts.js";

/** @import { Medium } from "../showing/media.js" */
/** @import { Version } from "../veil/attributes.js" */

/** What a saved file is for a browser that is made to open it: nothing that it shows, or runs. */
const SAVED_TYPE = "application/octet-stream";

/** Characters and lines of the longest text that is rendered; of a longer one the source is shown. */
const LONGEST_RENDERED = 256 * 1024;
const MOST_LINES = 8000;

/** @type {Map<string, "markdown" | "html">} */
const RENDERED = new Map([
  ["md", "markdown"],
  ["markdown", "markdown"],
  ["htm", "html"],
  ["html", "html"],
  ["xhtml", "html"],
]);

/**
 * What is shown of a value: the element, its text if it is one, a button that turns it to its source, and what frees its memory.
 * @typedef {{ element: HTMLElement, text: string | null, turn: HTMLElement | null, free: () => void }} Display
 */

/**
 * Return what shows a value.
 * @param {Pick<Version, "key" | "size" | "mode">} version
 * @param {Blob} value
 * @returns {Promise<Display>}
 */
export async function displayValue(version, value) {
  const display = chooseDisplay(version);
  if (display === null) return displayNothing();
  if (display === "text") {
    const text = await readText(value);
    return text === null ? displayNothing() : displayText(version.key, text);
  }
  const address = URL.createObjectURL(value.slice(0, value.size, display.type));
  return {
    element: displayMedium(display, address, nameFile(version.key)),
    text: null,
    turn: null,
    free: () => URL.revokeObjectURL(address),
  };
}

/** @returns {Display} */
function displayNothing() {
  return { element: makeEmpty("file", TEXTS.cannotShow), text: null, turn: null, free: () => undefined };
}

/**
 * @param {string} key
 * @param {string} text
 * @returns {Display}
 */
function displayText(key, text) {
  const kind = RENDERED.get(findExtension(key));
  const isShort = text.length <= LONGEST_RENDERED && text.split("\n", MOST_LINES).length < MOST_LINES;
  const isRendered = text !== "" && kind !== undefined && isShort;
  if (!isRendered)
    return {
      element: text === "" ? make("p", { class: "hint" }, TEXTS.emptyFile) : makeSource(text),
      text,
      turn: null,
      free: () => undefined,
    };
  const rendered = kind === "markdown" ? renderMarkdown(text) : makeFrame(text, nameFile(key));
  const source = makeSource(text);
  const box = make("div", {}, rendered);
  const turn = () => {
    const isSource = source.isConnected;
    (isSource ? source : rendered).replaceWith(isSource ? rendered : source);
    button.setAttribute("aria-pressed", isSource ? "false" : "true");
  };
  const button = makeButton(TEXTS.source, "code", turn, { class: "quiet", "aria-pressed": "false" });
  return { element: box, text, turn: button, free: () => undefined };
}

/**
 * @param {Medium} medium
 * @param {string} address
 * @param {string} name
 */
function displayMedium(medium, address, name) {
  const options =
    medium.element === "img" ? { alt: name } : { controls: true, preload: "metadata", "aria-label": name };
  const element = make(medium.element, { ...options, src: address });
  element.addEventListener("error", () => element.replaceWith(makeEmpty("file", TEXTS.cannotShow)));
  return make("div", { class: "medium" }, element);
}

/**
 * Have the browser save a value in a file.
 * @param {string} key
 * @param {Blob} value
 */
export function saveFile(key, value) {
  const address = URL.createObjectURL(value.slice(0, value.size, SAVED_TYPE));
  const link = make("a", { href: address, download: nameFile(key), hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // once it has begun
}
