/** Keeps large values in files of the browser, which only this page sees, and removes them when it is left or opened again. */

import { formatSize } from "../showing/sizes.js";
import { Failure } from "./failures.js";

/** @import { Bytes } from "../words/bytes.js" */

/**
 * What takes bytes, and returns all of them in the end.
 * @typedef {{ write: (data: Bytes) => Promise<void>, finish: () => Promise<Blob> }} Sink
 */

/** Bytes of what is kept in memory, so that it never is on the disk. */
const SHORT = 16 * 1024 * 1024;

/** Bytes that are kept in memory where the browser has no such files: a phone has that much to spare. */
const MOST_IN_MEMORY = 128 * 1024 * 1024;

/** The folder of this page's files, in which each window has one of its own. */
const FOLDER = "kvass-open";

/** The files of this window. */
export class Keeping {
  /** @type {FileSystemDirectoryHandle | null} */
  #root = null;
  /** @type {FileSystemDirectoryHandle | null} */
  #folder = null;
  #name = `${Date.now()}-${crypto.getRandomValues(new Uint32Array(1))[0]}`;

  /** Find out whether there can be files, and remove those of windows that are closed. */
  async open() {
    try {
      if (!("createWritable" in FileSystemFileHandle.prototype)) return;
      const root = await navigator.storage.getDirectory();
      this.#root = await root.getDirectoryHandle(FOLDER, { create: true });
      await removeLeft(this.#root);
    } catch {
      this.#root = null; // as private windows of some browsers have it
    }
    addEventListener("pagehide", (event) => {
      if (!event.persisted) this.#remove();
    });
  }

  /** Return the bytes of the largest value that can be kept, `Infinity` if the disk alone sets a limit. */
  get most() {
    return this.#root === null ? MOST_IN_MEMORY : Infinity;
  }

  /**
   * Return what keeps `size` bytes, of which `what` says what they are.
   * @param {string} what
   * @param {number} size
   * @returns {Promise<Sink>}
   */
  async create(what, size) {
    if (size <= SHORT || this.#root === null) return keepInMemory(size, this.most);
    this.#folder ??= await claimFolder(this.#root, this.#name);
    const file = await this.#folder.getFileHandle(what, { create: true });
    const writable = await file.createWritable();
    return {
      write: (data) => writable.write(data),
      async finish() {
        await writable.close();
        return file.getFile();
      },
    };
  }

  /**
   * Remove a file of this window, if there is one.
   * @param {string} what
   */
  async remove(what) {
    await this.#folder?.removeEntry(what).catch(() => undefined);
  }

  #remove() {
    if (this.#folder !== null) this.#root?.removeEntry(this.#name, { recursive: true }).catch(() => undefined);
  }
}

/**
 * @param {number} size
 * @param {number} most
 * @returns {Sink}
 */
function keepInMemory(size, most) {
  if (Number.isFinite(size) && size > most) throw tooLarge(most);
  /** @type {Bytes[]} */
  const pieces = [];
  let length = 0;
  return {
    async write(data) {
      length += data.length;
      if (length > most) throw tooLarge(most);
      pieces.push(data.slice());
    },
    finish: async () => new Blob(pieces),
  };
}

/** @param {number} most */
function tooLarge(most) {
  return new Failure(
    `This is too large for this browser or a private window: here it can have ${formatSize(most)} at most. Use another browser, or \`kvass fetch\`.`,
  );
}

/**
 * Return a new folder with a name. The lock says that its window is open; it ends with it.
 * @param {FileSystemDirectoryHandle} root
 * @param {string} name
 */
async function claimFolder(root, name) {
  await new Promise((resolve) => {
    navigator.locks.request(`${FOLDER}/${name}`, () => {
      resolve(undefined);
      return new Promise(() => {});
    });
  });
  return root.getDirectoryHandle(name, { create: true });
}

/**
 * Remove the folders of windows that are closed.
 * @param {FileSystemDirectoryHandle} root
 */
async function removeLeft(root) {
  const names = [];
  for await (const name of root.keys()) names.push(name);
  for (const name of names) {
    await navigator.locks.request(`${FOLDER}/${name}`, { ifAvailable: true }, async (lock) => {
      if (lock !== null) await root.removeEntry(name, { recursive: true }).catch(() => undefined);
    });
  }
}
