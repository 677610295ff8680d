/** All that the page says, in English. */

import { markName } from "../showing/media.js";
import { KvassError } from "../words/errors.js";

/** @import { Status } from "../app/device.js" */

/**
 * Return a number with the word for so many.
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
function countWords(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/**
 * Return where something is from, after a word.
 * @param {string} words
 * @param {string} device
 */
function nameSource(words, device) {
  return device === "" ? words : `${words}, from ${device}`;
}

export const TEXTS = {
  // Where one is
  tabs: "Views",
  skip: "Skip to the content",
  up: "Up",
  pathHint: "Folders above",
  files: "Files",
  latest: "Latest",
  find: "Search",
  more: "More",
  root: "Files",
  folder: "Folder",
  folders: "Folders",
  folderUp: "Up",
  state: "State",
  progress: "How much is done",

  // What can be done
  close: "Close",
  cancel: "Cancel",
  create: "Create",
  copy: "Copy",
  copied: "Copied.",
  notCopied: "The browser did not allow it to be copied. Select it, and copy it from there.",
  edit: "Edit",
  fetch: "Fetch it",
  keep: "Keep it",
  move: "Move",
  moreActions: "More actions",
  moveOrRename: "Move or rename",
  openIt: "Open it",
  reload: "Reload",
  remove: "Delete",
  restore: "Restore",
  save: "Download",
  saveText: "Save",
  share: "Share",
  show: "Show",
  throwAway: "Discard",
  goOn: "Keep editing",
  tryAgain: "Try again",
  undo: "Undo",
  undone: "Taken back.",
  undoneAlready: "Something else was changed since then, so this is not taken back.",
  /** @param {string} what */
  undoOf: (what) => `Undo: ${what}`,
  newEdition: "A new version of this page is ready.",

  // Lists
  nameless: "(no name)",
  symlink: "Symbolic link",
  unsentMark: "not sent yet",
  conflictMark: "conflict",
  emptyStore: "Nothing is here yet. Begin with a note, or add files.",
  emptyFolder: "This folder is empty.",
  chosenLabel: "What is selected",
  chooseNone: "Select nothing",
  chooseHint: "Select",
  /** @param {string} name */
  choose: (name) => `Select ${name}`,
  /** @param {number} count */
  chosen: (count) => `${count.toLocaleString("en")} selected`,
  /** @param {number} count @param {string} name */
  removed: (count, name) => (count === 1 ? `“${name}” was deleted.` : `${countWords(count, "item")} were deleted.`),
  /** @param {number} count @param {string} goal */
  moved: (count, goal) => (count === 1 ? `Moved to “${goal}”.` : `${countWords(count, "item")} moved to “${goal}”.`),
  /** @param {string} name */
  moveOne: (name) => `Move or rename “${name}”`,
  /** @param {number} count */
  moveMany: (count) => `Move ${countWords(count, "item")}`,
  pathLabel: "Folder and name",
  folderLabel: "Folder",

  // Search
  findHint: "Names and texts",
  inNames: "Names",
  inTexts: "In texts",
  searching: "Searching texts …",
  foundNothing: "Nothing was found. Texts that are not on this device yet are not searched.",
  /** @param {number} count */
  foundCount: (count) => `${countWords(count, "result")}.`,

  // New things
  new: "New",
  newTitle: "New in this folder",
  newNote: "New note",
  newFolder: "New folder",
  addFiles: "Add files",
  takePicture: "Take a picture",
  note: "Note",
  toDo: "to do",
  done: "done",
  noteName: "Name",
  noteNameHint: "Name (else the first line is it)",
  /** @param {string} name @param {number} number @param {number} total */
  saving: (name, number, total) => (total === 1 ? `Adding ${name} …` : `Adding ${name} (${number} of ${total}) …`),
  /** @param {number} count @param {string} key */
  added: (count, key) => (count === 1 ? `“${key}” was added.` : `${countWords(count, "file")} were added.`),
  /** @param {number} count @param {string} reason */
  notAdded: (count, reason) => `${countWords(count, "file")} could not be added: ${reason}`,
  sharedTitle: "Save what was shared",
  saveIn: "Save in folder",
  nothingShared: "Nothing that was shared waits here.",
  shareLost: "What was shared could not be kept: the browser has no room left. Free some, and share it again.",

  // What is under a key
  fetching: "Fetching …",
  /** @param {number} part */
  fetchingPart: (part) => `Fetching: ${Math.floor(part * 100)}%`,
  /** @param {string} size */
  notHere: (size) => `This is not on this device yet (${size}).`,
  notThere: "Nothing is here: it was moved or deleted.",
  emptyFile: "(It is empty.)",
  cannotShow: "This cannot be shown here. Download it, and open it with a program that can.",
  source: "Source",
  /** @param {string} device */
  from: (device) => `from ${device}`,

  // Text
  text: "Text",
  noText: "This is no text, so it cannot be edited here.",
  unsaved: "Not saved",
  saved: "Saved.",
  /** @param {string} name */
  savedAs: (name) => `Saved as “${name}”.`,
  savedInConflict: "Saved. Another device saved this meanwhile: its version is kept too.",
  showOther: "Show both",
  /** @param {string} device */
  changedMeanwhile: (device) => `This was changed ${device === "" ? "elsewhere" : `on ${device}`} meanwhile.`,
  removedMeanwhile: "This was deleted elsewhere meanwhile. Save it to have it again.",
  keepMine: "Keep mine",
  takeTheirs: "Take theirs",
  tookTheirs: "Your text was replaced by theirs.",
  /** @param {string} device */
  versionFrom: (device) => (device === "" ? "The other version" : `The version from ${device}`),
  leaveTitle: "Save your changes?",
  leaveText: "What you wrote is not saved yet.",

  // Versions and conflicts
  versions: "Versions",
  /** @param {string} name */
  versionsOf: (name) => `Versions of ${name}`,
  /** @param {string} name @param {number} number */
  versionOf: (name, number) => `${name}, version ${number}`,
  versionsHint: "Earlier versions are kept for a while. Restoring one adds a new version; nothing is lost.",
  became: { current: "current", replaced: "replaced", removed: "deleted", lost: "lost to another version" },
  /** @param {string} name */
  restored: (name) => `“${name}” was restored.`,
  /** @param {string} name */
  restoreOf: (name) => `Restore ${name}`,
  removedTitle: "Deleted",
  noneRemoved: "Nothing that was deleted is kept.",
  nothingToRestore: "No version of this is kept any more.",
  conflicts: "Conflicts",
  /** @param {number} count */
  conflictCount: (count) => (count === 0 ? "Conflicts" : `Conflicts (${count})`),
  noConflicts: "There are no conflicts.",
  conflictsHint: "Two devices changed these without knowing of each other. Both versions are kept.",
  conflictHint:
    "Two devices changed this without knowing of each other. Keep the current version, or restore the other one: it stays among the versions either way.",
  showConflict: "Show both",
  /** @param {string} winner @param {string} loser */
  conflictOf: (winner, loser) => `${winner || "one device"} and ${loser || "another one"}`,
  /** @param {string} name */
  conflictTitle: (name) => `Conflict: ${name}`,
  /** @param {string} device */
  currentFrom: (device) => nameSource("Current version", device),
  /** @param {string} device */
  otherFrom: (device) => nameSource("Other version", device),
  keepThis: "Keep this one",
  useThis: "Use this one",
  settled: "The conflict is settled.",

  // Links
  /** @param {string} name */
  shareTitle: (name) => `Share ${name}`,
  shareHint: "Whoever has the link can open this, without an account.",
  termsLabel: "The link works for",
  terms: { hour: "1 hour", day: "1 day", week: "1 week", never: "as long as the file is there" },
  once: "It works once",
  makeShare: "Make a link",
  shareCode: "The link as a QR code, for the camera of another device",
  shareReady: "This is the link:",
  shareAddress: "Link",
  copyAddress: "Copy the link",
  passOn: "Send …",
  sharesOf: "Links to this",
  links: "Links",
  noLinks: "There are no links.",
  noEnd: "works without end",
  /** @param {string} when */
  until: (when) => `works until ${when}`,
  worksOnce: "once",
  worksOften: "any number of times",
  endShare: "End",
  shareEnded: "The link has ended.",

  // This device
  thisDevice: "This device",
  deviceName: "Name of this device",
  deviceNameHint: "Your other devices see it.",
  hubName: "Hub",
  keyCount: "Keys",
  sealing: "Encryption",
  refused: "Left out",
  isSealed: "sealed: the hub cannot read what it keeps",
  isNotSealed: "on the way; the hub can read what it keeps",
  synchronise: "Synchronise now",
  notPersistent: "This browser may remove the store when it needs room.",
  kept: "The browser keeps the store.",
  notKept: "The browser did not promise it. Install this page, or add it to the bookmarks, and try again.",
  passphrase: "Passphrase",
  passphraseBefore: "Present passphrase",
  newPassphrase: "New passphrase",
  passphraseIfWanted: "Passphrase (optional)",
  passphraseHint: "With one, all that this browser keeps is encrypted, and wants it whenever the page is opened.",
  setPassphrase: "Set the passphrase",
  removePassphrase: "Remove it",
  passphraseSet: "The passphrase is set.",
  passphraseRemoved: "The passphrase was removed.",
  hasPassphrase: "The store opens with a passphrase.",
  hasNoPassphrase:
    "The store opens without a passphrase: whoever can unlock this device can read it. To have one, forget this device below, and pair it again with one.",
  about: "About",
  aboutText:
    "kvass keeps your files on your devices. This page is one of them: it has the store in this browser, and works without a network.",
  aboutTrust: "The page comes from your hub. It cannot protect you from a hub that sends another page.",
  forget: "Forget this device",
  forgetHint: "Removes the store and its key from this browser. Your other devices keep it.",
  forgetTitle: "Forget this device?",
  forgetAll: "Forget it",
  /** @param {number} unsent */
  forgetText: (unsent) =>
    unsent === 0
      ? "All that is in this browser is removed. Everything has been sent to the hub, so nothing is lost."
      : `${countWords(unsent, "change")} that the hub has not got ${unsent === 1 ? "is" : "are"} lost then, for good.`,
  /** @param {number} unsent */
  atRisk: (unsent) =>
    `This browser may drop ${unsent === 1 ? "it" : "them"} before ${unsent === 1 ? "it is" : "they are"} sent.`,

  // Before there is a store
  openingStore: "Opening the store …",
  welcome: "Your store, in this browser",
  whatThisIs:
    "This page makes the browser one of your devices: your files are here, with and without a network. Pair it once with a device that has them already.",
  codeIsHere: "The code was scanned. One tap, and your files are here.",
  code: "Pairing code or address",
  codeHint: "On a device that has the store, run “kvass pair --phone”, or “kvass pair”.",
  codeMissing: "Type the code that “kvass pair” shows, or paste its address.",
  pair: "Get my files",
  pairing: "Pairing …",
  pairedAlready: "This browser has a store already. Forget it first, under “More”, to pair another one.",
  scan: "Scan the code",
  scanHint: "Point the camera at the code.",
  camera: "What the camera sees",
  locked: "The store is locked",
  unlock: "Unlock",
  elsewhere: "Open in another tab",
  elsewhereText: "kvass is open in another tab, and one tab at a time has the store.",
  useHere: "Use it here",
  installFirst: "Install kvass first",
  installText:
    "On this device only an installed page keeps its files. Install it, and scan the code again from inside.",
  installSteps: [
    "Tap “Share” in the bar of the browser.",
    "Choose “Add to Home Screen”.",
    "Open kvass from the home screen, and pair it there.",
  ],
  installLater: "Go on in the browser all the same",
  insecure: "This needs https://",
  insecureText:
    "This page came over http://. Browsers keep no keys for such a page, so kvass cannot work here. Open it by an https:// address of your hub, or on the hub itself by http://localhost. There are three ways to one:",
  secureWays: [
    ["tailscale serve", "gives a machine in your tailnet an address with a certificate."],
    ["caddy reverse-proxy", "gets a certificate for your domain, and hands requests on to the hub."],
    ["kvass serve --tls-cert", "takes a certificate that you have."],
  ],
};

/**
 * Return how the store stands with its hub, in a few words.
 * @param {Status} status
 */
export function describeHub({ hub, failure, unsent, hubName, refused }) {
  const waiting = unsent === 0 ? "" : `${countWords(unsent, "change")} ${unsent === 1 ? "waits" : "wait"}`;
  if (hub === "in step" && refused.length > 0) {
    return `The hub has ${countWords(refused.length, "entry", "entries")} that no device of yours made: left out, and named under “More”`;
  }
  if (hub === "in step") return waiting || (hubName === "" ? "In step" : `In step with ${markName(hubName)}`);
  const state = {
    busy: "Synchronising …",
    unreachable: "The hub cannot be reached",
    failed: failure || "Synchronising failed",
  }[hub];
  return waiting === "" ? state : `${state.replace(/\.$/, "")} · ${waiting}`;
}

/**
 * Return the sentence about an error.
 * @param {unknown} error
 * @returns {string}
 */
export function describeTrouble(error) {
  if (error instanceof KvassError) return error.message;
  if (error instanceof DOMException && error.name === "QuotaExceededError")
    return "This browser has no room left. Free some, and try again.";
  if (error instanceof DOMException && error.name === "NotAllowedError")
    return "The browser did not allow it. Allow it in its settings, and try again.";
  return `This did not work, for a reason that this page does not know (${error}).`;
}
