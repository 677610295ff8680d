/** The earlier versions of a key, the keys that were removed, and the conflicts. */

import { chooseDisplay, markName, readText } from "../showing/media.js";
import { formatSize } from "../showing/sizes.js";
import { fill, make, makeButton, makeIcon, makeLink } from "./elements.js";
import { makePath } from "./folder.js";
import { makeRestoreButton } from "./item.js";
import { findFolder, findName, formatRoute, locateItem } from "./routes.js";
import { chooseIcon, makeEmpty, makeFailure, makeName, makeSource } from "./rows.js";
import { TEXTS } from "./texts.js";
import { formatTime, formatWhen } from "./times.js";

/** @import { Conflict, Item, Revision } from "../app/device.js" */
/** @import { Desk, View } from "./desk.js" */

/** How many removed keys are listed. */
const MOST_REMOVED = 500;

/**
 * Show the versions of a key.
 * @param {Desk} desk
 * @param {string} key
 * @returns {View}
 */
export function showVersions(desk, key) {
  const list = make("ul", { class: "rows" });
  const update = () => {
    const revisions = desk.device.listRevisions(key);
    fill(list, ...revisions.map((revision) => makeRevision(key, revision)));
  };
  update();
  const element = make("div", {}, make("p", { class: "hint" }, TEXTS.versionsHint), list);
  return {
    title: TEXTS.versionsOf(markName(findName(key))),
    path: makePath(key),
    up: locateItem(key),
    tab: "",
    element,
    update,
  };
}

/**
 * @param {string} key
 * @param {Revision} revision
 */
function makeRevision(key, revision) {
  const { number, when, size, became, device, isInConflict } = revision;
  const link = make(
    "a",
    { class: "open", href: became === "current" ? locateItem(key) : formatRoute("version", key, number) },
    make(
      "span",
      { class: "line" },
      make("span", { class: "name" }, formatTime(when)),
      isInConflict && make("span", { class: "mark conflict" }, makeIcon("warning"), TEXTS.conflictMark),
    ),
    make(
      "span",
      { class: "facts" },
      make("span", {}, TEXTS.became[became]),
      make("span", {}, formatSize(size)),
      device !== "" && make("span", {}, TEXTS.from(markName(device))),
    ),
  );
  return make("li", { class: "row" }, make("span", { class: "sign number" }, String(number)), link);
}

/**
 * Show the keys that were removed.
 * @param {Desk} desk
 * @returns {View}
 */
export function showRemoved(desk) {
  const box = make("div");
  const update = () => {
    const items = desk.device.listRemoved(MOST_REMOVED);
    fill(
      box,
      items.length === 0
        ? makeEmpty("trash", TEXTS.noneRemoved)
        : make("ul", { class: "rows" }, ...items.map((item) => makeRemoved(desk, item))),
    );
  };
  update();
  return { title: TEXTS.removedTitle, tab: "more", up: formatRoute("more"), element: box, update };
}

/**
 * @param {Desk} desk
 * @param {Item} item
 */
function makeRemoved(desk, item) {
  const restore = () => desk.attempt(() => restoreRemoved(desk, item));
  return make(
    "li",
    { class: "row" },
    make("span", { class: "sign" }, makeIcon(chooseIcon(item))),
    make(
      "a",
      { class: "open", href: formatRoute("versions", item.key) },
      make("span", { class: "line" }, makeName(item.name)),
      make(
        "span",
        { class: "facts" },
        makeName(findFolder(item.key) || TEXTS.root, "place"),
        make("span", {}, formatWhen(item.changed)),
      ),
    ),
    makeButton(TEXTS.restore, null, restore, {
      class: "quiet strong",
      "aria-label": TEXTS.restoreOf(markName(item.name)),
    }),
  );
}

/**
 * Restore the newest version of a removed key that has a value.
 * @param {Desk} desk
 * @param {Item} item
 */
async function restoreRemoved(desk, { key, name }) {
  const newest = desk.device.listRevisions(key).find(({ became }) => became !== "current");
  if (newest === undefined) return desk.notices.warn(TEXTS.nothingToRestore);
  await desk.device.restore(key, newest.number);
  desk.notices.say(TEXTS.restored(markName(name)), TEXTS.show, () => desk.go(locateItem(key)));
}

/**
 * Show the conflicts there are.
 * @param {Desk} desk
 * @returns {View}
 */
export function showConflicts(desk) {
  const box = make("div");
  const update = () => {
    const conflicts = desk.device.listConflicts();
    fill(
      box,
      ...(conflicts.length === 0
        ? [makeEmpty("check", TEXTS.noConflicts)]
        : [
            make("p", { class: "hint" }, TEXTS.conflictsHint),
            make("ul", { class: "rows" }, ...conflicts.map(makeConflictRow)),
          ]),
    );
  };
  update();
  return { title: TEXTS.conflicts, tab: "more", up: formatRoute("more"), element: box, update };
}

/** @param {Conflict} conflict */
function makeConflictRow({ key, winner, loser }) {
  const link = make(
    "a",
    { class: "open", href: formatRoute("conflicts", key) },
    make("span", { class: "line" }, makeName(findName(key))),
    make(
      "span",
      { class: "facts" },
      makeName(findFolder(key) || TEXTS.root, "place"),
      make("span", {}, TEXTS.conflictOf(markName(winner), markName(loser))),
    ),
  );
  return make("li", { class: "row" }, make("span", { class: "sign conflict" }, makeIcon("warning")), link);
}

/**
 * Show both versions of a conflict, to be decided.
 * @param {Desk} desk
 * @param {string} key
 * @returns {View}
 */
export function showConflict(desk, key) {
  const box = make("div", { class: "both" });
  let shown = "";
  const update = () => {
    const conflicts = desk.device.listConflicts().filter((conflict) => conflict.key === key);
    const now = JSON.stringify([conflicts, desk.device.begin(key)]);
    if (now === shown) return;
    shown = now;
    fill(
      box,
      ...(conflicts.length === 0
        ? [makeEmpty("check", TEXTS.settled, makeLink(TEXTS.openIt, null, locateItem(key), { class: "button main" }))]
        : makeBoth(desk, conflicts)),
    );
  };
  update();
  return {
    title: TEXTS.conflictTitle(markName(findName(key))),
    tab: "more",
    path: makePath(key),
    up: formatRoute("conflicts"),
    element: box,
    update,
  };
}

/**
 * @param {Desk} desk
 * @param {Conflict[]} conflicts of one key
 */
function makeBoth(desk, conflicts) {
  const [{ key, winner }] = /** @type {[Conflict]} */ (/** @type {unknown} */ (conflicts));
  const settle = () =>
    desk.attempt(async () => {
      await desk.device.settle(key);
      desk.notices.say(TEXTS.settled);
    });
  return [
    make("p", { class: "hint" }, TEXTS.conflictHint),
    makeSide(
      desk,
      key,
      null,
      TEXTS.currentFrom(markName(winner)),
      makeButton(TEXTS.keepThis, "check", settle, { class: "main" }),
    ),
    ...conflicts.map(({ number, loser }) =>
      makeSide(
        desk,
        key,
        number,
        TEXTS.otherFrom(markName(loser)),
        makeRestoreButton(desk, key, number, TEXTS.useThis, ""),
      ),
    ),
  ];
}

/**
 * @param {Desk} desk
 * @param {string} key
 * @param {number | null} number
 * @param {string} title
 * @param {HTMLElement} button
 */
function makeSide(desk, key, number, title, button) {
  const body = make("div", { class: "value" }, make("p", { class: "hint" }, TEXTS.fetching));
  readSide(desk, key, number)
    .then((text) =>
      fill(
        body,
        text === null
          ? makeLink(TEXTS.openIt, null, number === null ? locateItem(key) : formatRoute("version", key, number), {
              class: "button",
            })
          : makeSource(text),
      ),
    )
    .catch((error) => fill(body, makeFailure(error)));
  return make("section", {}, make("h2", {}, title), body, make("div", { class: "buttons" }, button));
}

/**
 * Return the text of a version, `null` if it is none.
 * @param {Desk} desk
 * @param {string} key
 * @param {number | null} number
 */
async function readSide(desk, key, number) {
  const size =
    number === null
      ? desk.device.get(key)?.size
      : desk.device.listRevisions(key).find((each) => each.number === number)?.size;
  if (size === undefined || chooseDisplay({ key, size, mode: null }) !== "text") return null;
  return readText(await desk.device.read(key, number, () => undefined));
}
