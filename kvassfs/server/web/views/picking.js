/** What was chosen in a list, and what can be done with all of it at once. */

import { fill, make, makeButton, makeIconButton } from "./elements.js";
import { TEXTS } from "./texts.js";
import { moveItems, removeItems } from "./changes.js";

/** @import { Desk } from "./desk.js" */

export class Picking {
  /** @type {Set<string>} */
  keys = new Set();
  element = make("div", { class: "picking", role: "toolbar", "aria-label": TEXTS.chosenLabel, hidden: true });
  #count = make("strong", { role: "status" });

  /**
   * `changed` is called when other keys are chosen.
   * @param {Desk} desk
   * @param {() => void} changed
   */
  constructor(desk, changed) {
    this.#changed = changed;
    fill(
      this.element,
      this.#count,
      makeButton(TEXTS.move, "move", () => moveItems(desk, [...this.keys], () => this.clear()), { class: "quiet" }),
      makeButton(TEXTS.remove, "trash", () => removeItems(desk, [...this.keys], () => this.clear()), {
        class: "quiet",
      }),
      makeIconButton(TEXTS.chooseNone, "close", () => this.clear()),
    );
  }

  #changed;

  /** @param {string} key */
  toggle(key) {
    if (!this.keys.delete(key)) this.keys.add(key);
    this.#update();
  }

  clear() {
    this.keys.clear();
    this.#update();
  }

  /**
   * Forget what is not there any more.
   * @param {(key: string) => boolean} isThere
   */
  keepOnly(isThere) {
    const gone = [...this.keys].filter((key) => !isThere(key));
    for (const key of gone) this.keys.delete(key);
    if (gone.length > 0) this.#update();
  }

  #update() {
    this.element.hidden = this.keys.size === 0;
    this.#count.textContent = TEXTS.chosen(this.keys.size);
    this.#changed();
  }
}
