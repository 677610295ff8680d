/** The frame around the views: where one is, how one gets elsewhere, and how things stand. */

import { watchFiles } from "./adding.js";
import { isTabOfIos } from "./browsers.js";
import { Desk } from "./desk.js";
import { showEditor, showNewNote } from "./editor.js";
import { fill, make, makeButton, makeIcon, makeLink } from "./elements.js";
import { showFinding } from "./finding.js";
import { showFolder, showLatest } from "./folder.js";
import { showElsewhere, showInsecure, showInstallFirst, showLocked, showOpening } from "./gates.js";
import { showConflict, showConflicts, showRemoved, showVersions } from "./history.js";
import { showItem, showVersion } from "./item.js";
import { showMore } from "./more.js";
import { formatRoute, locateItem, parseRoute, takeSecret } from "./routes.js";
import { showShared } from "./shared_in.js";
import { showLinks, showSharing } from "./sharing.js";
import { StatusLine } from "./status_line.js";
import { TEXTS } from "./texts.js";
import { showWelcome } from "./welcome.js";

/** @import { Device } from "../app/device.js" */
/** @import { View } from "./desk.js" */
/** @import { Route } from "./routes.js" */

/** The views that are always one tap away: name, text and icon. */
const TABS = [
  ["", TEXTS.files, "folder"],
  ["latest", TEXTS.latest, "clock"],
  ["find", TEXTS.find, "search"],
  ["more", TEXTS.more, "dots"],
];

/**
 * Show the store, and follow it. `secret` is what `takeSecret` returned.
 * @param {Device} device
 * @param {string} secret
 * @returns {{ tellNew: (takeOver: () => void) => void }} what tells of another edition of the page
 */
export function startViews(device, secret) {
  const shell = new Shell(device, secret);
  shell.start();
  return { tellNew: (takeOver) => shell.tellNew(takeOver) };
}

class Shell {
  #title = make("h1", { tabindex: "-1", dir: "auto" });
  #up = make("a", { class: "up round", "aria-label": TEXTS.up, title: TEXTS.up }, makeIcon("back"));
  #actions = make("div", { class: "actions" });
  #path = make("div", { class: "where" });
  #main = make("main", { id: "main" });
  #tabs = make("nav", { class: "tabs", "aria-label": TEXTS.tabs });
  /** @type {View | null} */
  #view = null;
  /** The address of what is shown, and the stage of the store then. */
  #address = "";
  #stage = "";
  #mayInstallLater = false;
  #isDiscarded = false;

  /**
   * @param {Device} device
   * @param {string} secret
   */
  constructor(device, secret) {
    this.#desk = new Desk(device);
    this.#secret = secret;
    this.#state = new StatusLine(this.#desk);
  }

  #desk;
  #secret;
  #state;

  start() {
    const skip = makeButton(TEXTS.skip, null, () => this.#focus(), { class: "skip" });
    const top = make("header", { class: "top" }, this.#up, this.#title, this.#actions);
    const { uploads, notices, device } = this.#desk;
    const stage = make("div", { class: "stage" }, top, this.#path, this.#main, notices.element);
    const side = make("div", { class: "side" }, this.#tabs, uploads.element, this.#state.element);
    fill(document.body, skip, make("div", { class: "shell" }, stage, side));
    if (!window.isSecureContext) return this.#show(showInsecure());
    addEventListener("hashchange", () => this.#follow());
    addEventListener(
      "beforeunload",
      (event) => (this.#view?.isUnsaved?.() || uploads.isBusy) && event.preventDefault(),
    );
    watchFiles(() => this.#view?.take);
    device.onChange(() => this.#update());
    this.#render();
    this.#state.update();
  }

  /**
   * Say that there is another edition of the page.
   * @param {() => void} takeOver
   */
  tellNew(takeOver) {
    this.#desk.notices.say(TEXTS.newEdition, TEXTS.reload, takeOver);
  }

  /** Go where the address leads now, unless what is not saved is in the way. */
  async #follow() {
    const wanted = location.hash;
    if (wanted === this.#address) return;
    for (const dialog of document.querySelectorAll("dialog")) dialog.close(); // "back" leads out of it as well
    if (parseRoute(wanted) === null) return this.#takeCode();
    if (!this.#isDiscarded && this.#view?.isUnsaved?.()) {
      history.pushState(null, "", this.#address || locateItem(""));
      if (!(await this.#view.mayLeave?.())) return;
      this.#isDiscarded = true;
      this.#desk.go(wanted);
      return;
    }
    this.#isDiscarded = false;
    this.#render();
    this.#focus();
  }

  /** Take what a person scanned while the page was open. */
  #takeCode() {
    this.#secret = takeSecret();
    if (["opening", "none"].includes(this.#desk.device.status.stage)) return this.#render();
    this.#desk.notices.say(TEXTS.pairedAlready);
    history.replaceState(null, "", this.#address || locateItem(""));
  }

  #focus() {
    (this.#view?.first?.() ?? this.#title).focus({ preventScroll: true });
  }

  /** Show what has changed in the store. */
  #update() {
    this.#state.update();
    if (this.#desk.device.status.stage === this.#stage) return this.#view?.update?.();
    if (!this.#view?.isUnsaved?.()) return this.#render();
    const { stage } = this.#desk.device.status; // what is not saved stays in sight
    if (stage === "elsewhere") this.#desk.offerTakeOver();
  }

  #render() {
    const { stage } = this.#desk.device.status;
    this.#stage = stage;
    if (stage !== "open") return this.#show(this.#makeGate(stage));
    this.#secret = "";
    const route = parseRoute(location.hash) ?? { view: "", key: "", number: null };
    this.#show(this.#makeView(route));
  }

  /**
   * @param {"opening" | "none" | "locked" | "elsewhere"} stage
   * @returns {View}
   */
  #makeGate(stage) {
    if (stage === "opening") return showOpening(this.#desk);
    if (stage === "locked") return showLocked(this.#desk);
    if (stage === "elsewhere") return showElsewhere(this.#desk);
    if (!isTabOfIos() || this.#mayInstallLater) return showWelcome(this.#desk, this.#secret);
    return showInstallFirst(() => {
      this.#mayInstallLater = true;
      this.#render();
    });
  }

  /**
   * @param {Route} route
   * @returns {View}
   */
  #makeView({ view, key, number }) {
    const desk = this.#desk;
    switch (view) {
      case "latest":
        return showLatest(desk, this.#main);
      case "find":
        return showFinding(desk);
      case "more":
        return showMore(desk);
      case "edit":
        return showEditor(desk, key);
      case "new":
        return showNewNote(desk, key);
      case "versions":
        return showVersions(desk, key);
      case "version":
        return showVersion(desk, key, number ?? 0);
      case "share":
        return showSharing(desk, key);
      case "links":
        return showLinks(desk);
      case "removed":
        return showRemoved(desk);
      case "conflicts":
        return key === "" ? showConflicts(desk) : showConflict(desk, key);
      case "shared":
        return showShared(desk);
      case "share-lost":
        desk.notices.warn(TEXTS.shareLost);
    }
    return key === "" || key.endsWith("/") ? showFolder(desk, key, this.#main) : showItem(desk, key);
  }

  /** @param {View} view */
  #show(view) {
    this.#view?.leave?.();
    const left = parseRoute(this.#address);
    if (left?.view === "") this.#desk.shown = left.key;
    this.#desk.scrolled.set(this.#address, this.#main.scrollTop);
    this.#address = location.hash;
    this.#view = view;
    document.title = `${view.title} – kvass`;
    this.#title.textContent = view.title;
    fill(this.#actions, ...(view.actions ?? []));
    fill(this.#path, view.path);
    fill(this.#main, view.element);
    this.#up.hidden = view.up === undefined;
    if (view.up !== undefined) this.#up.href = view.up;
    this.#showTabs(view.tab);
    this.#main.scrollTop = 0;
    view.enter?.();
    if (view.enter !== undefined) this.#main.scrollTop = this.#desk.scrolled.get(this.#address) ?? 0;
  }

  /** @param {string | undefined} current */
  #showTabs(current) {
    document.body.classList.toggle("gated", current === undefined);
    const links = TABS.map(([name = "", label = "", icon = ""]) => {
      const address = name === "" ? locateItem("") : formatRoute(name);
      return makeLink(label, icon, address, { "aria-current": name === current ? "page" : null });
    });
    fill(this.#tabs, ...links);
  }
}
