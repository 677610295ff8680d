/** Shows what is under a key, and what can be done with it; earlier versions of it likewise. */

import { chooseDisplay, markName } from "../showing/media.js";
import { formatSize } from "../showing/sizes.js";
import { moveItems, removeItems } from "./changes.js";
import { showActions } from "./dialogs.js";
import { displayValue, saveFile } from "./displays.js";
import { fill, make, makeButton, makeIconButton, makeLink } from "./elements.js";
import { makePath } from "./folder.js";
import { findFolder, findName, formatRoute, locateItem } from "./routes.js";
import { makeEmpty, makeFailure, makeMarks } from "./rows.js";
import { TEXTS } from "./texts.js";
import { formatTime } from "./times.js";

/** @import { Item } from "../app/device.js" */
/** @import { Desk, View } from "./desk.js" */

/** Bytes of a value that is not here, and is fetched unasked. */
const FETCHED_UNASKED = 10 * 1024 * 1024;

/**
 * Show the current version of a key.
 * @param {Desk} desk
 * @param {string} key
 * @returns {View}
 */
export function showItem(desk, key) {
  const [facts, bar, body] = [
    make("div", { class: "about" }),
    make("div", { class: "bar" }),
    make("div", { class: "value" }),
  ];
  /** @type {View} */
  const view = {
    title: markName(findName(key)),
    element: make("article", {}, facts, bar, body),
    up: locateItem(findFolder(key)),
    path: makePath(key),
    tab: "",
  };
  const value = new ValueView(desk, key, null, body, () => fill(bar, ...makeBar(desk, key, value)));
  let shown = "";
  view.update = () => {
    const item = desk.device.get(key);
    fill(facts, ...(item === null ? [] : describeItem(item)));
    if (item === null) return void (fill(bar), fill(body, makeEmpty("file", TEXTS.notThere)));
    const version = desk.device.begin(key);
    if (version === shown) return;
    shown = version;
    value.show(item);
  };
  view.leave = () => value.free();
  view.update();
  return view;
}

/**
 * Show a version of a key by its number.
 * @param {Desk} desk
 * @param {string} key
 * @param {number} number
 * @returns {View}
 */
export function showVersion(desk, key, number) {
  const [bar, body] = [make("div", { class: "bar" }), make("div", { class: "value" })];
  const found = desk.device.listRevisions(key).find((revision) => revision.number === number);
  const title = TEXTS.versionOf(markName(findName(key)), number);
  const up = formatRoute("versions", key);
  if (found === undefined) return { title, up, element: makeEmpty("clock", TEXTS.notThere) };
  const value = new ValueView(desk, key, number, body, () =>
    fill(bar, makeRestoreButton(desk, key, number), ...makeValueButtons(desk, value)),
  );
  value.show({ size: found.size, isHere: found.isHere, mode: desk.device.get(key)?.mode ?? null });
  const facts = make("div", { class: "about" }, ...makeFactLines(found.size, found.when, found.device));
  return { title, up, path: makePath(key), element: make("article", {}, facts, bar, body), leave: () => value.free() };
}

/**
 * Return what makes an earlier version the current one.
 * @param {Desk} desk
 * @param {string} key
 * @param {number} number
 * @param {string} [label]
 * @param {string} [style]
 */
export function makeRestoreButton(desk, key, number, label = TEXTS.restore, style = "main") {
  const restore = () =>
    desk.attempt(async () => {
      await desk.device.restore(key, number);
      desk.notices.say(TEXTS.restored(markName(findName(key))));
      desk.go(locateItem(key));
    });
  return makeButton(label, "undo", restore, { class: style });
}

/** A value while it is fetched and shown. */
class ValueView {
  /** @type {Blob | null} */
  value = null;
  /** @type {string | null} */
  text = null;
  /** @type {HTMLElement | null} */
  turn = null;
  #free = () => {};
  /** Counts what was shown, so that what arrives late is not. */
  #turn = 0;

  /**
   * `changed` is called when other things can be done with it.
   * @param {Desk} desk
   * @param {string} key
   * @param {number | null} number
   * @param {HTMLElement} body
   * @param {() => void} changed
   */
  constructor(desk, key, number, body, changed) {
    this.#desk = desk;
    this.#key = key;
    this.#number = number;
    this.#body = body;
    this.#changed = changed;
  }

  #desk;
  #key;
  #number;
  #body;
  #changed;

  /** @param {Pick<Item, "size" | "isHere" | "mode">} version */
  show(version) {
    [this.value, this.text, this.turn] = [null, null, null];
    this.#turn += 1;
    this.#changed();
    const isShown = chooseDisplay({ ...version, key: this.#key }) !== null;
    if (isShown && (version.isHere || version.size <= FETCHED_UNASKED)) return this.#fetchAndShow(version);
    if (!isShown) return fill(this.#body, makeEmpty("file", TEXTS.cannotShow));
    const fetchIt = () => this.#fetchAndShow(version);
    fill(
      this.#body,
      makeEmpty(
        "save",
        TEXTS.notHere(formatSize(version.size)),
        makeButton(TEXTS.fetch, "save", fetchIt, { class: "main" }),
      ),
    );
  }

  /** @param {Pick<Item, "size" | "isHere" | "mode">} version */
  async #fetchAndShow(version) {
    const turn = this.#turn;
    try {
      const value = await this.#fetch();
      const display = await displayValue({ ...version, key: this.#key }, value);
      if (turn !== this.#turn) return display.free();
      this.#free();
      [this.value, this.text, this.turn, this.#free] = [value, display.text, display.turn, display.free];
      fill(this.#body, display.element);
      this.#changed();
    } catch (error) {
      if (turn === this.#turn)
        fill(
          this.#body,
          makeFailure(error, () => this.#fetchAndShow(version)),
        );
    }
  }

  /** Return the value, and say how far that is if it takes a moment. */
  #fetch() {
    const bar = make("progress", { max: 1, "aria-label": TEXTS.progress });
    const turn = this.#turn;
    const isShown = this.#body.firstChild !== null && this.#body.querySelector(".empty, .failure") === null;
    const timer = setTimeout(
      () => turn === this.#turn && fill(this.#body, make("p", { class: "hint", role: "status" }, TEXTS.fetching), bar),
      isShown ? 600 : 150,
    );
    return this.#desk.device
      .read(this.#key, this.#number, (part) => (bar.value = part))
      .finally(() => clearTimeout(timer));
  }

  /** Have the value saved in a file, which may need it to be fetched. */
  save() {
    const { device, notices } = this.#desk;
    return this.#desk.attempt(async () => {
      this.value ??= await device.read(this.#key, this.#number, (part) => notices.say(TEXTS.fetchingPart(part)));
      notices.clear();
      saveFile(this.#key, this.value);
    });
  }

  free() {
    this.#turn += 1;
    this.#free();
  }
}

/** @param {Item} item */
function describeItem(item) {
  return [...makeFactLines(item.kind === "symlink" ? null : item.size, item.changed, item.device), ...makeMarks(item)];
}

/**
 * @param {number | null} size
 * @param {number} when
 * @param {string} device
 */
function makeFactLines(size, when, device) {
  return [
    make("span", {}, size === null ? TEXTS.symlink : formatSize(size)),
    make("time", {}, formatTime(when)),
    device !== "" && make("span", {}, TEXTS.from(markName(device))),
  ];
}

/**
 * @param {Desk} desk
 * @param {string} key
 * @param {ValueView} value
 */
function makeBar(desk, key, value) {
  const item = desk.device.get(key);
  const canEdit = item?.kind === "file" && value.text !== null;
  return [
    item?.isInConflict && makeLink(TEXTS.showConflict, "warning", formatRoute("conflicts", key), { class: "button" }),
    canEdit && makeLink(TEXTS.edit, "edit", formatRoute("edit", key), { class: "button main" }),
    ...makeValueButtons(desk, value),
    makeLink(TEXTS.share, "share", formatRoute("share", key), { class: "button quiet", title: TEXTS.share }),
    makeIconButton(TEXTS.moreActions, "dots", () => offerForItem(desk, key), { "aria-haspopup": "dialog" }),
  ];
}

/**
 * @param {Desk} desk
 * @param {ValueView} value
 */
function makeValueButtons(desk, value) {
  const { text } = value;
  return [
    value.turn,
    text !== null && makeButton(TEXTS.copy, "copy", () => copyText(desk, text), { class: "quiet", title: TEXTS.copy }),
    makeButton(TEXTS.save, "save", () => value.save(), { class: "quiet", title: TEXTS.save }),
  ];
}

/**
 * @param {Desk} desk
 * @param {string} text
 */
export async function copyText(desk, text) {
  try {
    await navigator.clipboard.writeText(text);
    desk.notices.say(TEXTS.copied);
  } catch {
    desk.notices.warn(TEXTS.notCopied);
  }
}

/**
 * @param {Desk} desk
 * @param {string} key
 */
function offerForItem(desk, key) {
  const leave = () => desk.device.get(key) === null && desk.replace(locateItem(findFolder(key)));
  const follow = (/** @type {string} */ goal) => goal !== key && desk.replace(locateItem(goal));
  return showActions(markName(findName(key)), [
    { label: TEXTS.versions, icon: "clock", act: () => desk.go(formatRoute("versions", key)) },
    { label: TEXTS.moveOrRename, icon: "move", act: () => moveItems(desk, [key], follow) },
    { label: TEXTS.remove, icon: "trash", isGrave: true, act: () => removeItems(desk, [key], leave) },
  ]);
}
