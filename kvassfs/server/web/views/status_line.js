/** The line that says how the store stands with its hub, and what is not safe yet. */

import { fill, make, makeButton } from "./elements.js";
import { keepStore } from "./more.js";
import { describeHub, TEXTS } from "./texts.js";

/** @import { Desk } from "./desk.js" */

export class StatusLine {
  element = make("footer", { class: "state", "aria-label": TEXTS.state });
  #sentence = make("p");
  /** What is read out: the state, and not each number on the way to it. */
  #spoken = make("span", { class: "spoken", role: "status" });
  #bar = make("progress", { max: 1, "aria-label": TEXTS.progress, hidden: true });
  #offer = make("div", { class: "offer" });
  #shown = "";
  #said = "";

  /** @param {Desk} desk */
  constructor(desk) {
    this.#desk = desk;
    fill(this.element, this.#sentence, this.#spoken, this.#bar, this.#offer);
  }

  #desk;

  update() {
    const { status } = this.#desk.device;
    const { done, total } = status;
    this.#bar.hidden = total === 0;
    if (total > 0) this.#bar.value = done / total;
    const isAtRisk = status.isPersistent === false && status.unsent > 0;
    const now = JSON.stringify([describeHub(status), status.hub, isAtRisk]);
    if (now === this.#shown) return;
    this.#shown = now;
    this.element.dataset["hub"] =
      status.unsent > 0 && status.hub === "in step" ? "waits" : status.hub.replace(" ", "-");
    this.#sentence.textContent = describeHub(status);
    this.#speak(`${status.hub} ${status.failure} ${status.unsent > 0}`);
    const again = () => this.#desk.attempt(() => this.#desk.device.synchronise());
    fill(
      this.#offer,
      isAtRisk && make("p", { class: "risk", role: "status" }, TEXTS.atRisk(status.unsent)),
      isAtRisk && makeButton(TEXTS.keep, null, () => keepStore(this.#desk), { class: "quiet strong" }),
      ["unreachable", "failed"].includes(status.hub) &&
        makeButton(TEXTS.tryAgain, null, again, { class: "quiet strong" }),
    );
  }
  /** @param {string} state */
  #speak(state) {
    if (state === this.#said) return;
    this.#said = state;
    this.#spoken.textContent = this.#sentence.textContent;
  }
}
