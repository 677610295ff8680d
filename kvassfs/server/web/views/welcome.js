/** What is shown before there is a store: what this is, and how this device gets it. */

import { nameDevice } from "./browsers.js";
import { fill, make, makeButton, makeSubmit } from "./elements.js";
import { canScan, scanCode } from "./scanning.js";
import { describeTrouble, TEXTS } from "./texts.js";

/** @import { Desk, View } from "./desk.js" */

/**
 * Show how this device is paired. `secret` is what the page was opened with, "" if nothing.
 * @param {Desk} desk
 * @param {string} secret
 * @returns {View}
 */
export function showWelcome(desk, secret) {
  const pairing = new PairingForm(desk, secret);
  const element = make("div", { class: "gate" }, make("p", { class: "lead" }, TEXTS.whatThisIs), pairing.element);
  return { title: TEXTS.welcome, element, update: () => pairing.update() };
}

class PairingForm {
  #code = make("input", {
    id: "code",
    type: "text",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    enterkeyhint: "go",
  });
  #name = make("input", {
    id: "name",
    type: "text",
    autocomplete: "off",
    required: true,
    maxlength: 100,
    value: nameDevice(navigator.userAgent),
  });
  #passphrase = make("input", { id: "new-passphrase", type: "password", autocomplete: "new-password" });
  #bar = make("progress", { max: 1, "aria-label": TEXTS.progress, hidden: true });
  #step = make("p", { class: "hint", role: "status" });
  #failure = make("div", { role: "alert" });
  #scan = makeButton(TEXTS.scan, "camera", () => this.#scanAndPair(), { hidden: true });
  #buttons = make("div", { class: "buttons" });
  #codeField = make(
    "div",
    { class: "field" },
    make("label", { for: "code" }, TEXTS.code),
    this.#code,
    make("p", { class: "hint" }, TEXTS.codeHint),
  );
  #isBusy = false;

  /**
   * @param {Desk} desk
   * @param {string} secret
   */
  constructor(desk, secret) {
    this.#desk = desk;
    this.#secret = secret;
    this.#codeField.hidden = secret !== "";
    /** @param {Event} event */
    const submit = (event) => {
      event.preventDefault();
      this.#pair(this.#secret || this.#code.value.trim());
    };
    fill(this.#buttons, makeSubmit(TEXTS.pair, null), this.#scan);
    const hint = make("p", { class: "hint" }, TEXTS.deviceNameHint);
    const passphraseHint = make("p", { class: "hint" }, TEXTS.passphraseHint);
    const passphraseLabel = make("label", { for: "new-passphrase" }, TEXTS.passphraseIfWanted);
    this.element = make(
      "form",
      { onsubmit: submit },
      secret !== "" && make("p", {}, TEXTS.codeIsHere),
      this.#codeField,
      make("div", { class: "field" }, make("label", { for: "name" }, TEXTS.deviceName), this.#name, hint),
      make("div", { class: "field" }, passphraseLabel, this.#passphrase, passphraseHint),
      this.#failure,
      this.#buttons,
      this.#step,
      this.#bar,
    );
    if (secret === "") canScan().then((can) => (this.#scan.hidden = !can));
  }

  #desk;
  #secret;

  /** Show how much has arrived. */
  update() {
    const { done, total } = this.#desk.device.status;
    this.#bar.hidden = !this.#isBusy || total === 0;
    if (total > 0) this.#bar.value = done / total;
  }

  #scanAndPair() {
    return this.#desk.attempt(async () => {
      const text = await scanCode();
      if (text === null) return;
      this.#code.value = text;
      await this.#pair(text);
    });
  }

  /** @param {string} code */
  async #pair(code) {
    if (this.#isBusy) return;
    if (code === "") return this.#fail(TEXTS.codeMissing);
    this.#setBusy(true);
    try {
      const name = this.#name.value.trim();
      const report = (/** @type {string} */ sentence) => (this.#step.textContent = sentence);
      await this.#desk.device.pair(code, name, this.#passphrase.value, report);
    } catch (error) {
      this.#secret = ""; // it is worth nothing after one use
      this.#codeField.hidden = false;
      this.#fail(describeTrouble(error));
    }
    this.#setBusy(false);
  }

  /** @param {string} sentence */
  #fail(sentence) {
    fill(this.#failure, make("p", { class: "failure" }, sentence));
    this.#code.focus();
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    if (isBusy) fill(this.#failure);
    for (const input of [this.#code, this.#name, this.#passphrase]) input.readOnly = isBusy;
    this.#buttons.hidden = isBusy;
    this.#step.textContent = isBusy ? TEXTS.pairing : "";
    this.update();
  }
}
