/** The store on this device as the views see it: all that they know of it is in these types. Times are in ms since the epoch. */

import { KvassError } from "../words/errors.js";

/**
 * A file or directory. `name` is the last part of its key, without the `/` of a directory, whose `key` ends in one. `device` made the
 * version, if its name is known. `isUnsent`: the hub has not got it. `isHere`: the value needs no hub. `isInConflict`: a version of it lost
 * without being known.
 * @typedef {{
 *   key: string, name: string, kind: "file" | "directory" | "symlink", size: number, changed: number, device: string,
 *   isUnsent: boolean, isHere: boolean, isInConflict: boolean, mode: number | null,
 * }} Item
 */

/**
 * A version of a key that is kept, the newest first; `number` names it, as in `kvass log`.
 * @typedef {{
 *   number: number, when: number, size: number, became: "current" | "replaced" | "removed" | "lost", device: string,
 *   isHere: boolean, isInConflict: boolean,
 * }} Revision
 */

/**
 * A version that lost to one that did not know it, and its number.
 * @typedef {{ key: string, number: number, loser: string, winner: string }} Conflict
 */

/**
 * A link: its terms, and the address that a person is given.
 * @typedef {{ token: string, key: string, address: string, expires: number | null, once: boolean }} Share
 */

/**
 * `stage`: what can be done with the store: "opening" (nobody knows yet), "none" (no store is paired yet), "locked" (it wants a passphrase), "elsewhere" (another tab has it),
 * "open". `hub`: how it stands with the hub. `failure` is a sentence for people, "" if there is none. `unsent` changes wait for the hub.
 * `done` of `total` are what moves at the moment (entries, or bytes where `unit` says so), both 0 if nothing does. `isPersistent`: the
 * browser has promised to keep the store; `null` where it does not say. `refused` names what the hub of a sealed store has that no device made, with the reason.
 * @typedef {{
 *   stage: "opening" | "none" | "locked" | "elsewhere" | "open", hub: "in step" | "busy" | "unreachable" | "failed", failure: string,
 *   unsent: number, done: number, total: number, unit: "entries" | "bytes", keys: number, isPersistent: boolean | null,
 *   name: string, hubName: string, isSealed: boolean, hasPassphrase: boolean,
 *   refused: string[],
 * }} Status
 */

/**
 * What is said of how far something is, from 0 to 1.
 * @typedef {(part: number) => void} Report
 */

/**
 * What moved, so that it can be taken back: a sentence part such as "3 keys removed"; `null` if there is nothing.
 * @typedef {{ description: string } | null} Undoable
 */

/**
 * The store. Every method that returns a promise may reject with a KvassError, whose message is a sentence for people; nothing is changed then.
 *
 * - `onChange` calls the listener whenever status or items may have changed, at most some ten times a second; it returns what ends that.
 * - `list` returns the children of a directory ("" is the root), by name, directories first; `listLatest` the newest files, newest first.
 * - `find` returns items whose key has all words of the text; `search` yields files whose text has it, reading values that are here.
 * - `read` returns a value, of the current version or of one by its number; it fetches what is not here.
 * - `begin` returns what names the version that somebody begins to change (also where there is none); `write` saves, knowing
 *   that; where another version came meanwhile, it saves all the same, and says so: the other one is a revision and a conflict. It
 *   returns what names the version that was saved, too.
 * - `add` saves a file of any size under a key that nothing has ("photo (2).jpg" if need be), and returns that key.
 * - `move` gives a file or a directory with all below another key; `remove` likewise; both can be undone. `undo` takes back the last change
 *   that was made here, and returns the key that it concerned.
 * - `listShares` returns the links to a key, to all keys for "".
 * - `pair` takes what a QR code or a person says. With a passphrase ("" = none) all that is kept here is encrypted under it, and `unlock` opens it;
 *   `changePassphrase` wants the one before. `forget` removes all that this device has, after which `stage` is "none".
 * @typedef {{
 *   readonly status: Status,
 *   onChange(listener: () => void): () => void,
 *   list(prefix: string): Item[],
 *   listLatest(most: number): Item[],
 *   get(key: string): Item | null,
 *   find(text: string, most: number): Item[],
 *   search(text: string, most: number): AsyncGenerator<Item, void, void>,
 *   read(key: string, number: number | null, report: Report): Promise<Blob>,
 *   begin(key: string): string,
 *   write(key: string, value: Blob, begun: string): Promise<{ isConflict: boolean, begun: string }>,
 *   add(key: string, value: Blob, report: Report): Promise<string>,
 *   makeDirectory(prefix: string): Promise<void>,
 *   move(from: string, to: string): Promise<void>,
 *   remove(keys: string[]): Promise<void>,
 *   undoable(): Undoable,
 *   undo(): Promise<string>,
 *   listRevisions(key: string): Revision[],
 *   restore(key: string, number: number): Promise<void>,
 *   listRemoved(most: number): Item[],
 *   listConflicts(): Conflict[],
 *   settle(key: string): Promise<void>,
 *   listShares(key: string): Promise<Share[]>,
 *   share(key: string, expires: number | null, once: boolean): Promise<Share>,
 *   endShare(token: string): Promise<void>,
 *   pair(code: string, name: string, passphrase: string, report: (sentence: string) => void): Promise<void>,
 *   unlock(passphrase: string): Promise<void>,
 *   changePassphrase(before: string, after: string): Promise<void>,
 *   takeOver(): Promise<void>,
 *   keep(): Promise<boolean>,
 *   synchronise(): Promise<void>,
 *   forget(): Promise<void>,
 * }} Device
 */

/** Something cannot be done with the store; the message says what to do instead. */
export class DeviceError extends KvassError {}
