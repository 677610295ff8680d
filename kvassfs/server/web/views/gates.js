/** What is shown in place of the store while it cannot be used: it is locked, elsewhere, or this is no place for it. */

import { fill, make, makeButton, makeSubmit } from "./elements.js";
import { makeFailure } from "./rows.js";
import { TEXTS } from "./texts.js";

/** @import { Desk, View } from "./desk.js" */

/**
 * Say that the store is read; and why, where it cannot be.
 * @param {Desk} desk
 * @returns {View}
 */
export function showOpening(desk) {
  const failure = make("p", { class: "failure", role: "alert" });
  const update = () => {
    failure.textContent = desk.device.status.failure;
  };
  update();
  return { title: TEXTS.openingStore, element: make("div", { class: "gate" }, failure), update };
}

/**
 * Ask for the passphrase.
 * @param {Desk} desk
 * @returns {View}
 */
export function showLocked(desk) {
  const input = make("input", { id: "unlock", type: "password", autocomplete: "current-password", required: true });
  const failure = make("div");
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    fill(failure);
    try {
      await desk.device.unlock(input.value);
    } catch (error) {
      fill(failure, makeFailure(error));
      input.select();
    }
  };
  const field = make("div", { class: "field" }, make("label", { for: "unlock" }, TEXTS.passphrase), input);
  const form = make(
    "form",
    { onsubmit: submit },
    field,
    failure,
    make("div", { class: "buttons" }, makeSubmit(TEXTS.unlock, "lock")),
  );
  return { title: TEXTS.locked, element: make("div", { class: "gate" }, form), first: () => input };
}

/**
 * Say that another tab has the store.
 * @param {Desk} desk
 * @returns {View}
 */
export function showElsewhere(desk) {
  const button = makeButton(TEXTS.useHere, null, () => desk.attempt(() => desk.device.takeOver()), { class: "main" });
  const element = make(
    "div",
    { class: "gate" },
    make("p", { class: "lead" }, TEXTS.elsewhereText),
    make("div", { class: "buttons" }, button),
  );
  return { title: TEXTS.elsewhere, element };
}

/**
 * Say that it is to be installed first; `goOn` is for who does not want that.
 * @param {() => void} goOn
 * @returns {View}
 */
export function showInstallFirst(goOn) {
  const steps = make("ol", { class: "steps" }, ...TEXTS.installSteps.map((step) => make("li", {}, step)));
  const element = make(
    "div",
    { class: "gate" },
    make("p", { class: "lead" }, TEXTS.whatThisIs),
    make("p", {}, TEXTS.installText),
    steps,
    makeButton(TEXTS.installLater, null, goOn, { class: "quiet strong" }),
  );
  return { title: TEXTS.installFirst, element };
}

/**
 * Say that browsers keep no secret for a page that came over http, and how it comes otherwise.
 * @returns {View}
 */
export function showInsecure() {
  const ways = TEXTS.secureWays.map(([command, text]) => make("li", {}, make("code", {}, command), ` ${text}`));
  const element = make(
    "div",
    { class: "gate" },
    make("p", { class: "lead" }, TEXTS.insecureText),
    make("ul", { class: "steps" }, ...ways),
  );
  return { title: TEXTS.insecure, element };
}
