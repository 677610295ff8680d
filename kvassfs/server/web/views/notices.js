/** What is said in passing, above all else: that something was done, and how to take it back; or that it failed. */

import { fill, make, makeButton, makeIconButton } from "./elements.js";
import { TEXTS } from "./texts.js";

/** Milliseconds for which something is said: long enough to reach for what takes it back. */
const SAID_FOR = 8000;

export class Notices {
  element = make("div", { class: "notices" });
  #urgent = make("div", { role: "alert" });
  #usual = make("div", { role: "status" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  constructor() {
    this.element.append(this.#urgent, this.#usual);
  }

  /**
   * Say that something was done; `action` is offered beside it.
   * @param {string} sentence
   * @param {string} [label]
   * @param {() => unknown} [action]
   */
  say(sentence, label, action) {
    clearTimeout(this.#timer);
    fill(this.#urgent);
    fill(this.#usual, this.#makeNotice(sentence, label, action, "notice"));
    this.#startTimer();
  }

  /**
   * Say that something failed, until that is put away.
   * @param {string} sentence
   * @param {() => unknown} [action]
   * @param {string} [label]
   */
  warn(sentence, action, label = TEXTS.tryAgain) {
    clearTimeout(this.#timer);
    fill(this.#usual);
    fill(this.#urgent, this.#makeNotice(sentence, label, action, "notice failed"));
  }

  clear() {
    fill(this.#usual);
    fill(this.#urgent);
  }

  /**
   * @param {string} sentence
   * @param {string | undefined} label
   * @param {(() => unknown) | undefined} action
   * @param {string} style
   */
  #makeNotice(sentence, label, action, style) {
    const press = () => {
      this.clear();
      action?.();
    };
    return make(
      "div",
      {
        class: style,
        onpointerenter: () => clearTimeout(this.#timer),
        onfocusin: () => clearTimeout(this.#timer),
        onpointerleave: () => this.#startTimer(),
      },
      make("p", { dir: "auto" }, sentence),
      label !== undefined && action !== undefined && makeButton(label, null, press, { class: "quiet strong" }),
      makeIconButton(TEXTS.close, "close", () => this.clear()),
    );
  }

  #startTimer() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => fill(this.#usual), SAID_FOR);
  }
}
