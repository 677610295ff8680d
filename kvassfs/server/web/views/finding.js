/** Searches: the names at once, and then the texts. */

import { fill, make } from "./elements.js";
import { makeEmpty, makeItemList } from "./rows.js";
import { describeTrouble, TEXTS } from "./texts.js";

/** @import { Item } from "../app/device.js" */
/** @import { Desk, View } from "./desk.js" */

/** How many results there are at most, of names and of texts. */
const MOST_NAMES = 100;
const MOST_TEXTS = 50;

/** Milliseconds without another letter before texts are read. */
const TYPED = 300;

/**
 * @param {Desk} desk
 * @returns {View}
 */
export function showFinding(desk) {
  const input = make("input", {
    type: "search",
    "aria-label": TEXTS.find,
    placeholder: TEXTS.findHint,
    value: desk.sought,
    enterkeyhint: "search",
    autocomplete: "off",
    dir: "auto",
  });
  const results = new Results(desk);
  input.addEventListener("input", () => results.seek((desk.sought = input.value)));
  results.seek(desk.sought);
  const form = make(
    "form",
    { class: "finding", role: "search", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    input,
  );
  const element = make("div", {}, form, results.element);
  return {
    title: TEXTS.find,
    tab: "find",
    element,
    first: () => input,
    update: () => results.refresh(),
    leave: () => results.stop(),
  };
}

class Results {
  #status = make("p", { class: "hint", role: "status" });
  #names = make("section");
  #texts = make("section");
  element = make("div", {}, this.#status, this.#names, this.#texts);
  #text = "";
  #isDone = false;
  /** @type {Item[]} */
  #found = [];
  /** Counts searches, so that one ends when another begins. */
  #number = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Desk} desk */
  constructor(desk) {
    this.#desk = desk;
  }

  #desk;

  /** @param {string} text */
  seek(text) {
    this.stop();
    this.#text = text.trim();
    this.#found = [];
    this.#isDone = false;
    this.#status.textContent = "";
    this.refresh();
    if (this.#text !== "") this.#timer = setTimeout(() => this.#readTexts(this.#number), TYPED);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#number += 1;
  }

  /** Show the names that there are now. */
  refresh() {
    const names = this.#text === "" ? [] : this.#desk.device.find(this.#text, MOST_NAMES);
    fill(this.#names, ...makeResults(TEXTS.inNames, names));
    fill(this.#texts, ...makeResults(TEXTS.inTexts, this.#found));
    const count = names.length + this.#found.length;
    if (this.#isDone) this.#status.textContent = count === 0 ? "" : TEXTS.foundCount(count);
    if (this.#isDone && count === 0) fill(this.#names, makeEmpty("search", TEXTS.foundNothing));
  }

  /** @param {number} number */
  async #readTexts(number) {
    this.#status.textContent = TEXTS.searching;
    try {
      for await (const item of this.#desk.device.search(this.#text, MOST_TEXTS)) {
        if (number !== this.#number) return;
        this.#found.push(item);
        this.refresh();
      }
      this.#isDone = number === this.#number;
      if (this.#isDone) this.refresh();
    } catch (error) {
      if (number === this.#number) this.#status.textContent = describeTrouble(error);
    }
  }
}

/**
 * @param {string} title
 * @param {Item[]} items
 */
function makeResults(title, items) {
  return items.length === 0 ? [] : [make("h2", {}, title), makeItemList(items, title)];
}
