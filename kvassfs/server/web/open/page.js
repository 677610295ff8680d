/** The parts of the page, and what they show at each stage. */

import { chooseDisplay, nameFile, readText } from "../showing/media.js";
import { formatSize } from "../showing/sizes.js";

/** @import { Version } from "../veil/attributes.js" */
/** @import { Medium } from "../showing/media.js" */

/** Steps of the progress that are read out; the bar shows each per cent. */
const READ_OUT = 0.25;

/** What a saved file is for a browser that is made to open it: nothing that it shows, or runs. */
const NOTHING = "application/octet-stream";

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function find(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * Say something, once: screen readers read it out.
 * @param {string} text
 * @param {boolean} [failed]
 */
export function say(text, failed = false) {
  const status = find("status");
  if (status.textContent !== text) status.textContent = text;
  status.classList.toggle("failed", failed);
}

/**
 * Say that something failed, and take away what leads nowhere now.
 * @param {string} sentence
 */
export function showFailure(sentence) {
  find("progress").hidden = true;
  find("question").hidden = true;
  say(sentence, true);
}

/**
 * Show what is known of a version before its value has arrived.
 * @param {Version} version
 */
export function showName({ key, size }) {
  const name = nameFile(key);
  document.title = name;
  find("name").textContent = name;
  find("size").textContent = formatSize(size);
}

/**
 * Show how much of something is done, from 0 to 1.
 * @param {string} what
 * @param {number} part
 */
export function showProgress(what, part) {
  const bar = /** @type {HTMLProgressElement} */ (find("progress"));
  bar.hidden = false;
  bar.value = part;
  const step = Math.floor(part / READ_OUT) * READ_OUT;
  say(step > 0 && step < 1 ? `${what}: ${step * 100}% …` : `${what} …`);
}

/**
 * Say why something is not done by itself, and wait until the button is pressed that does it.
 * @param {string} why
 */
export async function ask(why) {
  const question = find("question");
  find("why").textContent = why;
  question.hidden = false;
  say("");
  await new Promise((resolve) => find("get").addEventListener("click", resolve, { once: true }));
  question.hidden = true;
  find("name").focus(); // the button that had it is gone
}

/**
 * Show a value as far as that is safe, and offer it to be saved.
 * @param {Version} version
 * @param {Blob} value
 */
export async function showValue(version, value) {
  const name = nameFile(version.key);
  const display = chooseDisplay(version);
  const text = display === "text" ? await readText(value) : null;
  find("progress").hidden = true;
  const save = /** @type {HTMLAnchorElement} */ (find("save"));
  save.href = URL.createObjectURL(value.slice(0, value.size, NOTHING));
  save.download = name;
  find("saving").hidden = false;
  say("");
  if (text !== null) {
    showElement(makeText(text));
  } else if (display !== null && display !== "text") {
    showElement(makeMedium(display, URL.createObjectURL(value.slice(0, value.size, display.type)), name));
  } else {
    showNothing();
  }
}

/** @param {HTMLElement} element */
function showElement(element) {
  find("view").replaceChildren(element);
  find("view").hidden = false;
}

function showNothing() {
  find("view").hidden = true;
  say("This browser cannot show such a file here: save it, and open it with a program that can.");
}

/** @param {string} text */
function makeText(text) {
  const element = document.createElement("pre");
  element.textContent = text === "" ? "(It is empty.)" : text;
  element.dir = "auto";
  return element;
}

/**
 * @param {Medium} medium
 * @param {string} url
 * @param {string} name
 */
function makeMedium(medium, url, name) {
  const element = document.createElement(medium.element);
  if (element instanceof HTMLImageElement) {
    element.alt = name;
  } else {
    element.controls = true;
    element.preload = "metadata";
    element.setAttribute("aria-label", name);
  }
  element.addEventListener("error", showNothing);
  element.src = url;
  return element;
}
