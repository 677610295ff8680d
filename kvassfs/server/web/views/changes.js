/** What changes the store from several views: moved, removed, made; and taken back. */

import { showDialog } from "./dialogs.js";
import { make, makeButton } from "./elements.js";
import { makePathField } from "./path_field.js";
import { findFolder, findName, locateItem } from "./routes.js";
import { TEXTS } from "./texts.js";

/** @import { Desk } from "./desk.js" */

/**
 * Remove keys, and offer to take that back. Return whether it was done.
 * @param {Desk} desk
 * @param {string[]} keys
 */
export async function removeItems(desk, keys) {
  const done = await desk.attempt(async () => {
    await desk.device.remove(keys);
    return true;
  });
  if (done) sayUndoable(desk, TEXTS.removed(keys.length, findName(keys[0] ?? "")));
  return done === true;
}

/**
 * Say what was done, with what takes it back.
 * @param {Desk} desk
 * @param {string} sentence
 */
export function sayUndoable(desk, sentence) {
  const last = desk.device.undoable()?.description;
  if (last === undefined) return desk.notices.say(sentence);
  desk.notices.say(sentence, TEXTS.undo, () => takeBack(desk, last));
}

/**
 * Take the last change back, unless another one was made since.
 * @param {Desk} desk
 * @param {string} description of the change that is meant
 */
export async function takeBack(desk, description) {
  if (desk.device.undoable()?.description !== description) return desk.notices.say(TEXTS.undoneAlready);
  const key = await desk.attempt(() => desk.device.undo());
  if (key !== null) desk.notices.say(TEXTS.undone);
}

/**
 * Ask where keys are moved to, and move them: one to a name, several to a folder. Return whether it was done.
 * @param {Desk} desk
 * @param {string[]} keys
 */
export async function moveItems(desk, keys) {
  const [first] = keys;
  if (first === undefined) return false;
  const isOne = keys.length === 1;
  const start = isOne ? first.replace(/\/$/, "") : findFolder(first);
  const goal = await askPath(
    desk,
    isOne ? TEXTS.moveOne(findName(first)) : TEXTS.moveMany(keys.length),
    start,
    TEXTS.move,
    !isOne,
  );
  if (goal === null) return false;
  const done = await desk.attempt(() => moveEach(desk, keys, goal, isOne));
  if (done) sayUndoable(desk, TEXTS.moved(done, isOne ? goal : goal || TEXTS.root));
  return done !== null;
}

/**
 * Move keys, and return how many had another place before.
 * @param {Desk} desk
 * @param {string[]} keys
 * @param {string} goal
 * @param {boolean} isName
 */
async function moveEach(desk, keys, goal, isName) {
  let moved = 0;
  for (const key of keys) {
    const slash = key.endsWith("/") ? "/" : "";
    const to = isName ? goal.replace(/\/$/, "") + slash : joinFolder(goal, findName(key)) + slash;
    if (to === key) continue;
    await desk.device.move(key, to);
    moved += 1;
    if (desk.shown === key) desk.shown = to;
  }
  return moved;
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
      make(
        "form",
        { onsubmit: submit },
        field.element,
        make(
          "div",
          { class: "buttons" },
          makeButton(label, null, () => undefined, { type: "submit", class: "main" }),
        ),
      ),
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
  const done = await desk.attempt(async () => {
    await desk.device.makeDirectory(prefix);
    return true;
  });
  if (done) desk.go(locateItem(prefix));
}
