/** Links by which others get a key: made on terms, listed, and ended. */

import { markName } from "../showing/media.js";
import { makeCodePicture } from "./code_picture.js";
import { fill, make, makeButton, makeSubmit } from "./elements.js";
import { makePath } from "./folder.js";
import { copyText } from "./item.js";
import { findName, formatRoute, locateItem } from "./routes.js";
import { makeEmpty, makeFailure, makeName } from "./rows.js";
import { TEXTS } from "./texts.js";
import { formatTime } from "./times.js";

/** @import { Share } from "../app/device.js" */
/** @import { Desk, View } from "./desk.js" */

const HOUR = 60 * 60 * 1000;

/** How long a link works, in milliseconds; `null` is without end. */
const TERMS = /** @type {const} */ ([
  ["hour", HOUR],
  ["day", 24 * HOUR],
  ["week", 7 * 24 * HOUR],
  ["never", null],
]);

/**
 * Show how a key is shared.
 * @param {Desk} desk
 * @param {string} key
 * @returns {View}
 */
export function showSharing(desk, key) {
  const made = make("div", { role: "status" });
  const list = new ShareList(desk, key);
  const form = makeTerms((expires, once) =>
    desk.attempt(async () => {
      fill(made, makeAddress(desk, await desk.device.share(key, expires, once)));
      list.load();
    }),
  );
  list.load();
  const element = make(
    "div",
    { class: "sharing" },
    make("p", { class: "hint" }, TEXTS.shareHint),
    form,
    made,
    list.element,
  );
  return {
    title: TEXTS.shareTitle(markName(findName(key))),
    path: makePath(key),
    up: locateItem(key),
    tab: "",
    element,
  };
}

/**
 * Show the links of all keys.
 * @param {Desk} desk
 * @returns {View}
 */
export function showLinks(desk) {
  const list = new ShareList(desk, "");
  list.load();
  return { title: TEXTS.links, up: formatRoute("more"), tab: "more", element: list.element };
}

/** @param {(expires: number | null, once: boolean) => unknown} share */
function makeTerms(share) {
  const terms = TERMS.map(([name], number) =>
    make(
      "label",
      { class: "choice" },
      make("input", { type: "radio", name: "terms", value: number, checked: number === 1 }),
      make("span", {}, TEXTS.terms[name]),
    ),
  );
  const once = make("input", { type: "checkbox" });
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    const number = terms.findIndex((term) => term.querySelector("input")?.checked);
    const lasts = TERMS[number]?.[1] ?? null;
    share(lasts === null ? null : Date.now() + lasts, once.checked);
  };
  return make(
    "form",
    { onsubmit: submit },
    make("fieldset", {}, make("legend", {}, TEXTS.termsLabel), ...terms),
    make("label", { class: "choice" }, once, make("span", {}, TEXTS.once)),
    make("div", { class: "buttons" }, makeSubmit(TEXTS.makeShare, "link")),
  );
}

/**
 * @param {Desk} desk
 * @param {Share} share
 */
function makeAddress(desk, share) {
  const field = make("input", { type: "text", readonly: true, value: share.address, "aria-label": TEXTS.shareAddress });
  field.addEventListener("focus", () => field.select());
  const pass = () => navigator.share({ url: share.address }).catch(() => undefined); // somebody thought better of it
  return make(
    "div",
    { class: "banner" },
    make("p", {}, TEXTS.shareReady),
    field,
    make(
      "div",
      { class: "buttons" },
      makeButton(TEXTS.copyAddress, "copy", () => copyText(desk, share.address), { class: "main" }),
      "share" in navigator && makeButton(TEXTS.passOn, "share", pass),
    ),
    makeCodePicture(share.address, TEXTS.shareCode),
  );
}

class ShareList {
  element = make("section");

  /**
   * `key` is "" for the links of all keys.
   * @param {Desk} desk
   * @param {string} key
   */
  constructor(desk, key) {
    this.#desk = desk;
    this.#key = key;
  }

  #desk;
  #key;

  async load() {
    try {
      this.#show(await this.#desk.device.listShares(this.#key));
    } catch (error) {
      fill(
        this.element,
        makeFailure(error, () => this.load()),
      );
    }
  }

  /** @param {Share[]} shares */
  #show(shares) {
    const title = this.#key === "" ? null : make("h2", {}, TEXTS.sharesOf);
    if (shares.length === 0) return fill(this.element, this.#key === "" && makeEmpty("link", TEXTS.noLinks));
    fill(this.element, title, make("ul", { class: "rows" }, ...shares.map((share) => this.#makeRow(share))));
  }

  /** @param {Share} share */
  #makeRow(share) {
    const end = () =>
      this.#desk.attempt(async () => {
        await this.#desk.device.endShare(share.token);
        this.#desk.notices.say(TEXTS.shareEnded);
        await this.load();
      });
    const until = share.expires === null ? TEXTS.noEnd : TEXTS.until(formatTime(share.expires));
    return make(
      "li",
      { class: "row" },
      make(
        "div",
        { class: "open" },
        make(
          "span",
          { class: "line" },
          this.#key === "" ? makeName(share.key) : make("span", { class: "name" }, until),
        ),
        make(
          "span",
          { class: "facts" },
          this.#key === "" && make("span", {}, until),
          make("span", {}, share.once ? TEXTS.worksOnce : TEXTS.worksOften),
        ),
      ),
      makeButton(TEXTS.copy, null, () => copyText(this.#desk, share.address), { class: "quiet strong" }),
      makeButton(TEXTS.endShare, null, end, { class: "quiet strong" }),
    );
  }
}
