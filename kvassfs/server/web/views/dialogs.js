/** Questions that wait for an answer, and lists of what can be done. */

import { make, makeButton, makeIconButton } from "./elements.js";
import { TEXTS } from "./texts.js";

/** @import { Child } from "./elements.js" */

/**
 * Something that can be done, and what does it.
 * @typedef {{ label: string, icon: string, isGrave?: boolean, act: () => unknown }} Action
 */

let countedDialogs = 0;

/**
 * Show a dialog, and return what `answer` is called with, `null` if it is left.
 * @template T
 * @param {string} title
 * @param {(answer: (value: T | null) => void) => Child[]} build
 * @returns {Promise<T | null>}
 */
export function showDialog(title, build) {
  const before = document.activeElement;
  return new Promise((resolve) => {
    /** @type {T | null} */
    let given = null;
    /** @type {(value: T | null) => void} */
    const answer = (value) => {
      given = value;
      dialog.close();
    };
    const id = `dialog-${(countedDialogs += 1)}`;
    const dialog = make(
      "dialog",
      { "aria-labelledby": id },
      make(
        "header",
        {},
        make("h2", { id, tabindex: "-1" }, title),
        makeIconButton(TEXTS.close, "close", () => answer(null)),
      ),
      ...build(answer),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && answer(null)); // beside it
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
    const first = /** @type {HTMLElement | null} */ (dialog.querySelector(".first") ?? dialog.querySelector("h2"));
    first?.focus();
  });
}

/**
 * Ask whether something is done, and return whether it is.
 * @param {string} title
 * @param {string} sentence
 * @param {string} label
 * @returns {Promise<boolean>}
 */
export async function askSure(title, sentence, label) {
  const found = await showDialog(title, (/** @type {(value: boolean | null) => void} */ answer) => [
    make("p", {}, sentence),
    make(
      "div",
      { class: "buttons" },
      makeButton(TEXTS.cancel, null, () => answer(null), { class: "first" }),
      makeButton(label, null, () => answer(true), { class: "grave" }),
    ),
  ]);
  return found === true;
}

/**
 * Ask which of some answers it is, and return its number; `null` for none.
 * @param {string} title
 * @param {string} sentence
 * @param {string[]} labels the first is what most people want
 * @returns {Promise<number | null>}
 */
export function askWhich(title, sentence, labels) {
  return showDialog(title, (answer) => [
    make("p", {}, sentence),
    make(
      "div",
      { class: "buttons stacked" },
      ...labels.map((label, number) =>
        makeButton(label, null, () => answer(number), { class: number === 0 ? "main first" : "" }),
      ),
    ),
  ]);
}

/**
 * Show what can be done, and do what is chosen.
 * @param {string} title
 * @param {Action[]} actions
 */
export async function showActions(title, actions) {
  const chosen = await showDialog(title, (/** @type {(value: Action | null) => void} */ answer) => [
    make(
      "ul",
      { class: "menu" },
      ...actions.map((action, number) => {
        const style = `quiet${number === 0 ? " first" : ""}${action.isGrave ? " grave-text" : ""}`;
        return make(
          "li",
          {},
          makeButton(action.label, action.icon, () => answer(action), { class: style }),
        );
      }),
    ),
  ]);
  await chosen?.act();
}
