/** Saves files one after another, whatever is shown meanwhile, and says how far it is. */

import { markName } from "../showing/media.js";
import { fill, make } from "./elements.js";
import { describeTrouble, TEXTS } from "./texts.js";

/** @import { Desk } from "./desk.js" */

/**
 * A file that is to be saved, and the key that it gets, if nothing has that.
 * @typedef {{ key: string, value: Blob }} Waiting
 */

export class Uploads {
  element = make("div", { class: "uploads", hidden: true });
  #bar = make("progress", { max: 1, "aria-label": TEXTS.progress });
  #text = make("p", { role: "status" });
  /** @type {Waiting[]} */
  #waiting = [];
  /** @type {string[]} */
  #saved = [];
  /** @type {Waiting[]} */
  #failed = [];
  #reason = "";
  #total = 0;
  #isBusy = false;

  /** @param {Desk} desk */
  constructor(desk) {
    this.#desk = desk;
    fill(this.element, this.#text, this.#bar);
  }

  #desk;

  /** Return true while files wait that would be lost with the page. */
  get isBusy() {
    return this.#isBusy;
  }

  /**
   * Save files in a folder.
   * @param {string} folder
   * @param {File[]} files
   */
  addFiles(folder, files) {
    return this.add(
      files.map((file) => ({ key: folder + (file.name.replaceAll("/", "_") || TEXTS.nameless), value: file })),
    );
  }

  /**
   * Save values under keys, or under others like them that nothing has. Return true once all are saved.
   * @param {Waiting[]} waiting
   */
  async add(waiting) {
    this.#waiting.push(...waiting);
    this.#total += waiting.length;
    if (this.#isBusy || waiting.length === 0) return true;
    this.#isBusy = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#save(next);
    this.#isBusy = false;
    return this.#finish();
  }

  /** @param {Waiting} next */
  async #save(next) {
    const number = this.#saved.length + this.#failed.length + 1;
    const name = next.key.slice(next.key.lastIndexOf("/") + 1);
    this.#text.textContent = TEXTS.saving(markName(name), number, this.#total);
    this.#bar.value = 0;
    this.element.hidden = false;
    try {
      this.#saved.push(await this.#desk.device.add(next.key, next.value, (part) => (this.#bar.value = part)));
    } catch (error) {
      this.#failed.push(next);
      this.#reason = describeTrouble(error);
    }
  }

  #finish() {
    const [saved, failed] = [this.#saved, this.#failed];
    [this.#saved, this.#failed, this.#total] = [[], [], 0];
    this.element.hidden = true;
    if (failed.length === 0) {
      this.#desk.notices.say(TEXTS.added(saved.length, markName(saved[0] ?? "")));
      return true;
    }
    this.#desk.notices.warn(TEXTS.notAdded(failed.length, this.#reason), () => this.add(failed));
    return false;
  }
}
