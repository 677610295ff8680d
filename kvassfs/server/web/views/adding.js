/** The ways in which something new comes into a folder: a note, files, a picture, a folder; dropped, or pasted. */

import { addFolder } from "./changes.js";
import { showActions } from "./dialogs.js";
import { make, makeButton } from "./elements.js";
import { formatRoute } from "./routes.js";
import { TEXTS } from "./texts.js";

/** @import { Desk } from "./desk.js" */

/**
 * Return the button that offers all of them.
 * @param {Desk} desk
 * @param {string} folder
 */
export function makeNewButton(desk, folder) {
  return makeButton(TEXTS.new, "plus", () => offerNew(desk, folder), { class: "main new", "aria-haspopup": "dialog" });
}

/**
 * @param {Desk} desk
 * @param {string} folder
 */
function offerNew(desk, folder) {
  return showActions(TEXTS.newTitle, [
    { label: TEXTS.newNote, icon: "note", act: () => desk.go(formatRoute("new", folder)) },
    { label: TEXTS.addFiles, icon: "upload", act: () => pickFiles(desk, folder, { multiple: true }) },
    {
      label: TEXTS.takePicture,
      icon: "camera",
      act: () => pickFiles(desk, folder, { accept: "image/*", capture: "environment" }),
    },
    { label: TEXTS.newFolder, icon: "folder", act: () => addFolder(desk, folder) },
  ]);
}

/**
 * Let somebody choose files of this device, and save them.
 * @param {Desk} desk
 * @param {string} folder
 * @param {Record<string, string | boolean>} options
 */
function pickFiles(desk, folder, options) {
  const input = make("input", { type: "file", hidden: true, ...options });
  const take = () => {
    input.remove();
    desk.uploads.addFiles(folder, [...(input.files ?? [])]);
  };
  input.addEventListener("change", take);
  input.addEventListener("cancel", () => input.remove());
  document.body.append(input); // some browsers open it only there
  input.click();
}

/**
 * Have the whole page take files that are dropped or pasted, as long as what is shown can take them.
 * @param {() => ((files: File[]) => void) | undefined} findTaker
 */
export function watchFiles(findTaker) {
  addEventListener("dragover", (event) => hasFiles(event.dataTransfer) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault(); // or the browser would leave the page for the file
    findTaker()?.([...(event.dataTransfer?.files ?? [])]);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const take = findTaker();
    if (files.length === 0 || take === undefined || document.querySelector("dialog[open]") !== null) return;
    event.preventDefault();
    take(files);
  });
}

/** @param {DataTransfer | null} transfer */
function hasFiles(transfer) {
  return transfer?.types.includes("Files") === true;
}
