/**
 * A list of any length, of which only the rows that are in sight are elements.
 *
 * It is a list and no table or grid: screen readers then say "item 7 of 100,000", by `aria-posinset` and `aria-setsize`, each row has a
 * link as any page has, and none of them goes into a mode of its own where its usual keys do not work. Of all rows one is reached by Tab;
 * arrows lead to the others.
 */

import { make, makeIcon } from "./elements.js";
import { chooseIcon, makeItemLink } from "./rows.js";
import { TEXTS } from "./texts.js";

/** @import { Item } from "../app/device.js" */

/** Rows beyond what is in sight, so that fast scrolling does not show gaps. */
const BEYOND = 8;

/** Milliseconds after which a press is a long one, and pixels that a finger may move meanwhile. */
const LONG_PRESS = 500;
const STILL = 12;

/** The rem of a row: large enough for a thumb. */
const ROW_HEIGHT = 4;

/**
 * A row: the element, and what it was made of.
 * @typedef {{ element: HTMLElement, made: string }} Row
 */

export class VirtualList {
  /** @type {Item[]} */
  #items = [];
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #chosen;
  #withFolder;
  /** The number of the row that has, or would get, the focus. */
  #current = 0;
  /** @type {HTMLElement | null} */
  #scroller = null;
  #isAwaited = false;
  #wasPressed = false;
  /** Ends a press that the browser takes for a long one, before the timer does. @type {((event: Event) => void) | null} */
  #endPress = null;

  /**
   * `chosen` has the keys that are chosen; who changes it calls `update`.
   * @param {string} label
   * @param {Set<string>} chosen
   * @param {(key: string) => void} toggle
   * @param {boolean} withFolder
   */
  constructor(label, chosen, toggle, withFolder) {
    this.#chosen = chosen;
    this.#withFolder = withFolder;
    this.toggle = toggle;
    this.element = make("div", { class: "rows virtual", role: "list", "aria-label": label });
    this.element.addEventListener("keydown", (event) => this.#pressKey(event));
    this.element.addEventListener("click", (event) => this.#click(event), { capture: true });
    this.element.addEventListener("pointerdown", (event) => this.#watchPress(event));
    this.element.addEventListener("contextmenu", (event) => this.#endPress?.(event));
    this.element.addEventListener("focusin", (event) => this.#noteFocus(event));
  }

  /**
   * Begin to follow what is in sight of an element that scrolls.
   * @param {HTMLElement} scroller
   */
  attach(scroller) {
    this.#scroller = scroller;
    const look = () => this.#lookSoon();
    scroller.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(scroller);
    this.detach = () => {
      scroller.removeEventListener("scroll", look);
      observer.disconnect();
      this.#scroller = null;
    };
    this.#look();
  }

  detach = () => {};

  /**
   * Show these items; what is focused or in sight stays.
   * @param {Item[]} items
   */
  show(items) {
    const focused = this.#items[this.#current]?.key;
    this.#items = items;
    const at =
      focused === undefined || items[this.#current]?.key === focused
        ? -1
        : items.findIndex(({ key }) => key === focused);
    if (at >= 0) this.#current = at;
    this.#current = Math.max(0, Math.min(this.#current, items.length - 1));
    this.update();
  }

  /** Show the items as they are chosen now. */
  update() {
    this.element.style.height = `${this.#items.length * this.#measure()}px`;
    this.#look();
  }

  /**
   * Have a key be the one that is reached by Tab, and in sight; return the link of its row.
   * @param {string} key
   */
  reveal(key) {
    const at = this.#items.findIndex((item) => item.key === key);
    return at < 0 ? undefined : this.#reveal(at);
  }

  /** @param {number} at */
  #reveal(at) {
    this.#current = at;
    const [height, scroller] = [this.#measure(), this.#scroller];
    if (scroller !== null) {
      const top = this.element.offsetTop + at * height;
      const room = scroller.clientHeight;
      if (top < scroller.scrollTop) scroller.scrollTop = top;
      else if (top + height > scroller.scrollTop + room) scroller.scrollTop = top + height - room;
    }
    this.#look();
    return /** @type {HTMLElement | undefined} */ (
      this.#rows.get(this.#items[at]?.key ?? "")?.element.querySelector("a") ?? undefined
    );
  }

  #measure() {
    return ROW_HEIGHT * parseFloat(getComputedStyle(document.documentElement).fontSize);
  }

  #lookSoon() {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    requestAnimationFrame(() => {
      this.#isAwaited = false;
      this.#look();
    });
  }

  /** Have an element for each row that is in sight, and for the current one, lest it lose the focus. */
  #look() {
    if (this.#scroller === null) return;
    const [height, count] = [this.#measure(), this.#items.length];
    const top = this.#scroller.scrollTop - this.element.offsetTop;
    const first = Math.max(0, Math.floor(top / height) - BEYOND);
    const end = Math.min(count, Math.ceil((top + this.#scroller.clientHeight) / height) + BEYOND);
    const numbers = [];
    if (this.#current < first && count > 0) numbers.push(this.#current);
    for (let at = first; at < end; at += 1) numbers.push(at);
    if (this.#current >= end && this.#current < count) numbers.push(this.#current);
    this.#place(numbers, height);
  }

  /**
   * Have the rows with these numbers, and no others, in their order; no element is moved that is right where it is.
   * @param {number[]} numbers
   * @param {number} height
   */
  #place(numbers, height) {
    const wanted = new Set(numbers.map((at) => this.#items[at]?.key));
    for (const [key, row] of this.#rows) if (!wanted.has(key)) this.#drop(key, row);
    let next = this.element.firstElementChild;
    for (const at of numbers) {
      const item = this.#items[at];
      if (item === undefined) continue;
      const element = this.#findRow(item, at);
      element.style.transform = `translateY(${at * height}px)`;
      element.setAttribute("aria-posinset", String(at + 1));
      element.setAttribute("aria-setsize", String(this.#items.length));
      for (const control of element.querySelectorAll("a, button"))
        control.setAttribute("tabindex", at === this.#current ? "0" : "-1");
      if (element === next) next = next.nextElementSibling;
      else this.element.insertBefore(element, next);
    }
  }

  /**
   * @param {string} key
   * @param {Row} row
   */
  #drop(key, row) {
    row.element.remove();
    this.#rows.delete(key);
  }

  /**
   * Return the row of an item, made anew if something of it has changed.
   * @param {Item} item
   * @param {number} at
   */
  #findRow(item, at) {
    const made = JSON.stringify([item, this.#chosen.has(item.key), this.#chosen.size > 0]);
    const found = this.#rows.get(item.key);
    if (found?.made === made) return found.element;
    const element = found?.element ?? make("div", { class: "row", role: "listitem" });
    const focused = element.contains(document.activeElement) ? document.activeElement?.tagName : undefined;
    element.replaceChildren(this.#makeSign(item), makeItemLink(item, this.#withFolder));
    element.dataset["at"] = String(at);
    element.classList.toggle("chosen", this.#chosen.has(item.key));
    this.#rows.set(item.key, { element, made });
    if (focused !== undefined)
      /** @type {HTMLElement | null} */ (element.querySelector(focused))?.focus({ preventScroll: true });
    return element;
  }

  /**
   * Return the icon of an item, which is what chooses it.
   * @param {Item} item
   */
  #makeSign(item) {
    const isChosen = this.#chosen.has(item.key);
    return make(
      "button",
      {
        type: "button",
        class: "sign quiet",
        "aria-pressed": isChosen ? "true" : "false",
        "aria-label": TEXTS.choose(item.name),
        title: TEXTS.chooseHint,
      },
      makeIcon(isChosen ? "check" : chooseIcon(item)),
    );
  }

  /**
   * Return the number of the row that an event is in, -1 if it is in none.
   * @param {Event} event
   */
  #findNumber(event) {
    const row = event.target instanceof Element ? event.target.closest(".row") : null;
    const position = row?.getAttribute("aria-posinset");
    return position ? Number(position) - 1 : -1;
  }

  /** @param {Event} event */
  #noteFocus(event) {
    const at = this.#findNumber(event);
    if (at < 0 || at === this.#current) return;
    this.#current = at;
    this.#lookSoon();
  }

  /** @param {KeyboardEvent} event */
  #pressKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor((this.#scroller?.clientHeight ?? 0) / this.#measure()) - 1);
    const [at, last] = [this.#current, this.#items.length - 1];
    const goal = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last }[
      event.key
    ];
    const isSpace = event.key === " " && event.target instanceof HTMLAnchorElement;
    if (goal === undefined && !isSpace) return;
    event.preventDefault();
    if (goal === undefined) this.toggle(this.#items[at]?.key ?? "");
    else this.#reveal(Math.max(0, Math.min(goal, last)))?.focus({ preventScroll: true });
  }

  /**
   * Choose by the icon, and, once something is chosen, anywhere.
   * @param {MouseEvent} event
   */
  #click(event) {
    const item = this.#items[this.#findNumber(event)];
    if (item === undefined || event.ctrlKey || event.metaKey) return;
    const bySign = event.target instanceof Element && event.target.closest(".sign") !== null;
    const wasPressed = this.#wasPressed;
    this.#wasPressed = false;
    if (!bySign && !wasPressed && (this.#chosen.size === 0 || event.detail === 0)) return; // Enter opens
    event.preventDefault();
    event.stopPropagation();
    if (!wasPressed) this.toggle(item.key);
  }

  /**
   * Choose by a long press.
   * @param {PointerEvent} event
   */
  #watchPress(event) {
    [this.#wasPressed, this.#endPress] = [false, null];
    const item = this.#items[this.#findNumber(event)];
    if (item === undefined || event.pointerType === "mouse") return;
    const end = new AbortController();
    const choose = () => {
      if (end.signal.aborted) return;
      end.abort();
      this.#wasPressed = true;
      this.toggle(item.key);
    };
    this.#endPress = (menu) => {
      menu.preventDefault();
      choose();
    };
    const timer = setTimeout(choose, LONG_PRESS);
    end.signal.addEventListener("abort", () => clearTimeout(timer));
    const { signal } = end;
    for (const name of ["pointerup", "pointercancel", "scroll"])
      addEventListener(name, () => end.abort(), { signal, capture: true });
    /** @param {PointerEvent} moved */
    const move = (moved) =>
      Math.hypot(moved.clientX - event.clientX, moved.clientY - event.clientY) > STILL && end.abort();
    addEventListener("pointermove", move, { signal });
  }
}
