/** Changes a text, or begins one; what another device saved meanwhile is said at once, and nothing of either is lost. */

import { markName, readText } from "../showing/media.js";
import { joinFolder } from "./changes.js";
import { askWhich, showDialog } from "./dialogs.js";
import { fill, make, makeButton } from "./elements.js";
import { makePath } from "./folder.js";
import { findName, formatRoute, locateItem } from "./routes.js";
import { makeEmpty, makeFailure, makeSource } from "./rows.js";
import { TEXTS } from "./texts.js";

/** @import { Desk, View } from "./desk.js" */

/** Characters of the name that a note gets from its first line. */
const LONGEST_NAME = 60;

/**
 * Show the text of a key, to be changed.
 * @param {Desk} desk
 * @param {string} key
 * @returns {View}
 */
export function showEditor(desk, key) {
  const editor = new Editor(desk, key);
  editor.load();
  return { ...editor.view(markName(findName(key))), up: locateItem(key), path: makePath(key) };
}

/**
 * Show an empty text, which gets its name when it is saved.
 * @param {Desk} desk
 * @param {string} folder
 * @returns {View}
 */
export function showNewNote(desk, folder) {
  const editor = new NewNote(desk, folder);
  return { ...editor.view(TEXTS.newNote), up: locateItem(folder) };
}

/** The text, and whether it is saved. */
class TextField {
  area = make("textarea", {
    class: "text",
    "aria-label": TEXTS.text,
    dir: "auto",
    spellcheck: "true",
    oninput: () => this.look(),
  });
  state = make("span", { class: "hint", role: "status" });
  banner = make("div");
  /** What is saved. */
  saved = "";
  isBusy = false;
  button = makeButton(TEXTS.saveText, null, () => this.save(), { class: "main" });

  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
  }

  get isUnsaved() {
    return !this.area.disabled && this.area.value !== this.saved;
  }

  look() {
    this.state.textContent = this.isUnsaved ? TEXTS.unsaved : "";
  }

  /** Save, and return whether it is. */
  async save() {
    if (this.isBusy) return false;
    this.isBusy = true;
    const text = this.area.value;
    const done = await this.desk.attempt(async () => {
      await this.write(text);
      this.saved = text;
      this.look();
    });
    this.isBusy = false;
    return done;
  }

  /**
   * @param {string} _text
   * @returns {Promise<unknown>}
   */
  async write(_text) {
    return null;
  }

  /**
   * @param {string} title
   * @param {HTMLElement[]} fields
   * @returns {View}
   */
  view(title, ...fields) {
    /** @param {KeyboardEvent} event */
    const press = (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s") return;
      event.preventDefault();
      this.save();
    };
    const element = make("div", { class: "editor", onkeydown: press }, this.banner, ...fields, this.area);
    const actions = [this.state, this.button];
    return {
      title,
      element,
      actions,
      tab: "",
      first: () => this.area,
      isUnsaved: () => this.isUnsaved,
      mayLeave: () => this.mayLeave(),
    };
  }

  /** Ask what becomes of changes that are not saved. */
  async mayLeave() {
    if (!this.isUnsaved) return true;
    const chosen = await askWhich(TEXTS.leaveTitle, TEXTS.leaveText, [TEXTS.saveText, TEXTS.throwAway, TEXTS.goOn]);
    if (chosen === 0) return this.save();
    return chosen === 1;
  }
}

class Editor extends TextField {
  /** The version that this text began with. */
  #begun = "";
  #noted = "";

  /**
   * @param {Desk} desk
   * @param {string} key
   */
  constructor(desk, key) {
    super(desk);
    this.key = key;
    this.area.disabled = true;
  }

  /** Fetch the text. */
  async load() {
    const begun = this.desk.device.begin(this.key);
    try {
      const text = await this.#read();
      if (text === null) return fill(this.banner, makeEmpty("file", TEXTS.noText));
      this.#begin(text, begun);
      this.area.focus();
      this.area.setSelectionRange(0, 0);
    } catch (error) {
      fill(
        this.banner,
        makeFailure(error, () => this.load()),
      );
    }
  }

  async #read() {
    return readText(await this.desk.device.read(this.key, null, () => undefined));
  }

  /**
   * @param {string} text
   * @param {string} begun
   */
  #begin(text, begun) {
    [this.area.value, this.#begun, this.#noted] = [text, begun, begun];
    this.saved = this.area.value; // line ends are others in there
    this.area.disabled = false;
    fill(this.banner);
    this.look();
  }

  /** @param {string} text @override */
  async write(text) {
    const value = new Blob([text], { type: "text/plain" });
    const { isConflict, begun } = await this.desk.device.write(this.key, value, this.#begun);
    this.#begun = this.#noted = begun;
    fill(this.banner);
    if (isConflict)
      this.desk.notices.say(TEXTS.savedInConflict, TEXTS.showOther, () =>
        this.desk.go(formatRoute("conflicts", this.key)),
      );
    else this.desk.notices.say(TEXTS.saved);
  }

  /** Say it when the key got another version meanwhile. */
  async update() {
    const version = this.desk.device.begin(this.key);
    if (this.area.disabled || this.isBusy || version === this.#noted) return;
    this.#noted = version;
    if (this.desk.device.get(this.key) === null)
      return fill(this.banner, make("div", { class: "banner", role: "alert" }, make("p", {}, TEXTS.removedMeanwhile)));
    const theirs = await this.#read().catch(() => null);
    if (version !== this.#noted || theirs === null) return;
    if (theirs === this.area.value || !this.isUnsaved) return this.#begin(theirs, version);
    this.#tellOther(theirs, version);
  }

  /**
   * @param {string} theirs
   * @param {string} version
   */
  #tellOther(theirs, version) {
    const device = markName(this.desk.device.get(this.key)?.device ?? "");
    const keep = () => {
      this.#begun = version; // it is known now, and this text is meant to replace it
      fill(this.banner);
      this.area.focus();
    };
    const take = () => {
      const mine = this.area.value;
      this.#begin(theirs, version);
      this.area.focus();
      this.desk.notices.say(TEXTS.tookTheirs, TEXTS.undo, () => this.#putBack(mine));
    };
    fill(
      this.banner,
      make(
        "div",
        { class: "banner", role: "alert" },
        make("p", {}, TEXTS.changedMeanwhile(device)),
        make(
          "div",
          { class: "buttons" },
          makeButton(TEXTS.show, null, () => showOther(theirs, device)),
          makeButton(TEXTS.keepMine, null, keep),
          makeButton(TEXTS.takeTheirs, null, take),
        ),
      ),
    );
  }

  /** @param {string} text */
  #putBack(text) {
    this.area.value = text;
    this.look();
  }

  /** @param {string} title */
  view(title) {
    return { ...super.view(title), update: () => void this.update() };
  }
}

/**
 * @param {string} text
 * @param {string} device
 */
function showOther(text, device) {
  return showDialog(TEXTS.versionFrom(device), () => [makeSource(text)]);
}

class NewNote extends TextField {
  #name = make("input", {
    type: "text",
    "aria-label": TEXTS.noteName,
    placeholder: TEXTS.noteNameHint,
    autocomplete: "off",
    dir: "auto",
  });

  /**
   * @param {Desk} desk
   * @param {string} folder
   */
  constructor(desk, folder) {
    super(desk);
    this.folder = folder;
  }

  /** @param {string} text @override */
  async write(text) {
    const key = joinFolder(this.folder, this.#name.value.trim() || nameNote(text));
    const saved = await this.desk.device.add(key, new Blob([text], { type: "text/plain" }), () => undefined);
    this.saved = text;
    this.desk.notices.say(TEXTS.savedAs(markName(findName(saved))));
    this.desk.replace(formatRoute("edit", saved));
  }

  /** @param {string} title */
  view(title) {
    return super.view(title, this.#name);
  }
}

/**
 * Return the name of a note that was given none: its first line.
 * @param {string} text
 */
export function nameNote(text) {
  const line = text.split("\n").find((each) => /[\p{L}\p{N}]/u.test(each)) ?? "";
  const name = line
    .replace(/[/\\\p{Cc}]/gu, " ")
    .replace(/^[\s#>*.-]+/, "")
    .trim()
    .replace(/\s+/g, " ");
  const short = [...name].slice(0, LONGEST_NAME).join("").trim();
  return `${short || TEXTS.note}.md`;
}
