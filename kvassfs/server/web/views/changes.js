/** What changes the store from several views: moved, removed, made; and taken back. */

import { showDialog } from "./dialogs.js";
import { make, makeSubmit } from "./elements.js";
import { makePathField } from "./path_field.js";
import { findFolder, findName, locateItem } from "./routes.js";
import { TEXTS } from "./texts.js";

/** @import { Desk } from "./desk.js" */

/**
 * Remove keys, and offer to take that back; then do what follows.
 * @param {Desk} desk
 * @param {string[]} keys
 * @param {() => unknown} then
 */
export function removeItems(desk, keys, then) {
  return desk.attempt(async () => {
    await desk.device.remove(keys);
    sayUndoable(desk, TEXTS.removed(keys.length, findName(keys[0] ?? "")), 1);
    then();
  });
}

/**
 * Say what was done, with what takes it back.
 * @param {Desk} desk
 * @param {string} sentence
 * @param {number} count of changes
 */
function sayUndoable(desk, sentence, count) {
  const last = desk.device.undoable()?.description;
  if (last === undefined) return desk.notices.say(sentence);
  desk.notices.say(sentence, TEXTS.undo, () => takeBack(desk, last, count));
}

/**
 * Take the last changes back, unless another one was made since.
 * @param {Desk} desk
 * @param {string} description of the last of those that are meant
 * @param {number} count
 */
export async function takeBack(desk, description, count) {
  if (desk.device.undoable()?.description !== description) return desk.notices.say(TEXTS.undoneAlready);
  await desk.attempt(async () => {
    for (; count > 0; count -= 1) await desk.device.undo();
    desk.notices.say(TEXTS.undone);
  });
}

/**
 * Ask where keys are moved to, and move them: one to a name, several to a folder; then do what follows.
 * @param {Desk} desk
 * @param {string[]} keys
 * @param {(goal: string) => unknown} then
 */
export async function moveItems(desk, keys, then) {
  const [first] = keys;
  if (first === undefined) return;
  const isOne = keys.length === 1;
  const start = isOne ? first.replace(/\/$/, "") : findFolder(first);
  const goal = await askPath(
    desk,
    isOne ? TEXTS.moveOne(findName(first)) : TEXTS.moveMany(keys.length),
    start,
    TEXTS.move,
    !isOne,
  );
  if (goal === null) return;
  /** @type {string[]} */
  const moved = [];
  await desk.attempt(async () => {
    const isName = isOne && (`${goal}/` === first || !isFolderName(desk, goal));
    await moveEach(desk, keys, goal, isName, moved);
    if (moved.length > 0) sayUndoable(desk, TEXTS.moved(moved.length, goal || TEXTS.root), moved.length);
    then(moved[0] ?? first);
  });
}

/**
 * Return true if what is moved there goes into it, as `mv` has it.
 * @param {Desk} desk
 * @param {string} goal
 */
function isFolderName(desk, goal) {
  return goal.endsWith("/") || desk.device.get(`${goal}/`) !== null;
}

/**
 * Move keys, and note where those are that had another place.
 * @param {Desk} desk
 * @param {string[]} keys
 * @param {string} goal
 * @param {boolean} isName
 * @param {string[]} moved
 */
async function moveEach(desk, keys, goal, isName, moved) {
  for (const key of keys) {
    const slash = key.endsWith("/") ? "/" : "";
    const to = isName ? goal.replace(/\/$/, "") + slash : joinFolder(goal, findName(key)) + slash;
    if (to === key || moved.includes(to)) continue; // it is there, maybe since an earlier try
    await desk.device.move(key, to);
    moved.push(to);
  }
}

/**
 * @param {string} folder
 * @param {string} name
 */
export function joinFolder(folder, name) {
  return folder === "" || folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}

/**
 * Ask for a key, or for a folder, and return it; `null` if somebody thought better of it.
 * @param {Desk} desk
 * @param {string} title
 * @param {string} start
 * @param {string} label
 * @param {boolean} isFolder
 * @returns {Promise<string | null>}
 */
export function askPath(desk, title, start, label, isFolder) {
  return showDialog(title, (/** @type {(value: string | null) => void} */ answer) => {
    const field = makePathField(desk.device, isFolder ? TEXTS.folderLabel : TEXTS.pathLabel, start, isFolder);
    /** @param {Event} event */
    const submit = (event) => {
      event.preventDefault();
      const path = field.read();
      if (path !== "" || isFolder) answer(path);
    };
    return [
      make("form", { onsubmit: submit }, field.element, make("div", { class: "buttons" }, makeSubmit(label, null))),
    ];
  });
}

/**
 * Ask for the name of a new folder, and make it.
 * @param {Desk} desk
 * @param {string} folder in which it is
 */
export async function addFolder(desk, folder) {
  const path = await askPath(desk, TEXTS.newFolder, folder, TEXTS.create, false);
  if (path === null || path === folder) return;
  const prefix = path.replace(/\/*$/, "/");
  await desk.attempt(async () => {
    await desk.device.makeDirectory(prefix);
    desk.go(locateItem(prefix));
  });
}
