/** Fetches from the hub what a token leads to: in parts where it can be asked for twice, else in one answer. */

import { Failure, Unreachable } from "./failures.js";

/** @import { Bytes } from "../words/bytes.js" */
/** @import { Read } from "../veil/values.js" */

/**
 * A sealed value that can be read anywhere.
 * @typedef {{ size: number, read: Read }} Source
 */

/**
 * What a token leads to: something to read in parts, an answer that has all of it, or a link that works once.
 * @typedef {{ source: Source } | { whole: Response } | { once: true }} Offered
 */

/** Bytes at the end that are asked for first: the head is there, with all of a short value, or the lists of 500 MB. */
const TAIL = 128 * 1024;

/** How often a part is asked for, and milliseconds before the second time; each further time takes twice as long. */
const TRIES = 4;
const PAUSE = 500;

/**
 * Return what a token leads to. A link that works once is not used up by that.
 * @param {string} token
 * @returns {Promise<Offered>}
 */
export async function askHub(token) {
  const response = await request(token, { headers: { Range: `bytes=-${TAIL}` } });
  if (response.status === 405) return { once: true };
  checkStatus(response);
  if (response.status !== 206) return { whole: response };
  const size = Number(/\/([0-9]+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1]);
  const start = Math.max(0, size - TAIL);
  const tail = await new Body(response).take(TAIL);
  if (tail.length !== size - start) throw new Unreachable();
  return { source: new Parts(token, size, response.headers.get("ETag"), start, tail) };
}

/**
 * Use up a link that works once, and return the answer, which nobody gets again.
 * @param {string} token
 */
export async function useUp(token) {
  const response = await request(token, { method: "POST" });
  checkStatus(response);
  return response;
}

/**
 * Ask below the path where this page is, whatever is before it.
 * @param {string} token
 * @param {RequestInit} options
 */
async function request(token, options) {
  try {
    return await fetch(`get?q=${token}`, { cache: "no-store", redirect: "error", ...options });
  } catch {
    throw new Unreachable();
  }
}

/** @param {Response} response */
function checkStatus({ ok, status }) {
  if (ok) return;
  if (status === 410) throw new Failure("This address has ended: what it led to was replaced or removed, its time is over, or it was used up.");
  if (status === 404) {
    throw new Failure("There is nothing under this address. Check that it was copied whole.");
  }
  if (status === 412) throw new Failure("This was replaced while it was being fetched. Load this page again.");
  if (status === 429 || status >= 500) {
    throw new Failure(`The server cannot answer at the moment (status ${status}). Try again in a minute.`);
  }
  throw new Failure(`The server did not answer as a hub does (status ${status}).`);
}

/** A sealed value that is read in parts: one after another from one answer, as long as each begins where the last one ended. */
class Parts {
  /** @type {Body | null} */
  #body = null;
  #position = 0;

  /**
   * @param {string} token
   * @param {number} size
   * @param {string | null} tag
   * @param {number} tailStart
   * @param {Bytes} tail
   */
  constructor(token, size, tag, tailStart, tail) {
    this.size = size;
    this.#token = token;
    this.#tag = tag;
    this.#tailStart = tailStart;
    this.#tail = tail;
  }

  #token;
  #tag;
  #tailStart;
  #tail;

  /** @type {Read} */
  read = async (start, size) => {
    const wanted = Math.min(size, this.size - start);
    if (start >= this.#tailStart) return this.#tail.subarray(start - this.#tailStart, start - this.#tailStart + wanted);
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#readOn(start, wanted);
      } catch (error) {
        await this.#leave();
        if (!(error instanceof Unreachable) || tries === TRIES) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE * 2 ** (tries - 1)));
    }
  };

  /**
   * @param {number} start
   * @param {number} size
   */
  async #readOn(start, size) {
    if (this.#body !== null && this.#position !== start) await this.#leave();
    this.#body ??= await this.#begin(start);
    const data = await this.#body.take(size);
    if (data.length < size) throw new Unreachable();
    this.#position = start + size;
    return data;
  }

  /** @param {number} start */
  async #begin(start) {
    /** @type {Record<string, string>} */
    const headers = { Range: `bytes=${start}-${this.size - 1}` };
    if (this.#tag?.startsWith('"')) headers["If-Match"] = this.#tag; // so all parts are of one version
    const response = await request(this.#token, { headers });
    checkStatus(response);
    if (response.status !== 206) throw new Failure("The server did not answer as a hub does: it sent another part.");
    return new Body(response);
  }

  async #leave() {
    const body = this.#body;
    this.#body = null;
    await body?.cancel();
  }
}

/** The body of a response, in pieces as long as they are wanted. */
export class Body {
  #reader;
  #buffer = new ArrayBuffer();

  /** @param {Response} response */
  constructor(response) {
    this.#reader = response.body === null ? null : readInto(response.body);
  }

  /**
   * Return the next `size` bytes, fewer at the end. They last until the next call.
   * @param {number} size
   * @returns {Promise<Bytes>}
   */
  async take(size) {
    if (this.#buffer.byteLength < size) this.#buffer = new ArrayBuffer(size);
    let filled = 0;
    while (this.#reader !== null && filled < size) {
      const view = await this.#reader.read(new Uint8Array(this.#buffer, filled, size - filled));
      this.#buffer = view.buffer; // the one before has been taken away
      if (view.length === 0) break;
      filled += view.length;
    }
    return new Uint8Array(this.#buffer, 0, filled);
  }

  async cancel() {
    await this.#reader?.cancel().catch(() => undefined); // it may have broken off already
  }
}

/**
 * Return what reads a stream into bytes that are given to it, and returns those that it has filled, none at the end.
 *
 * So no new ones are made, which some browsers would keep for long; others read into new ones alone, and they are copied.
 * @param {ReadableStream<Bytes>} stream
 * @returns {{ read: (into: Bytes) => Promise<Bytes>, cancel: () => Promise<void> }}
 */
function readInto(stream) {
  try {
    const reader = stream.getReader({ mode: "byob" });
    return {
      async read(into) {
        const { value } = await reader.read(into).catch(reportUnreachable);
        return value ?? new Uint8Array();
      },
      cancel: () => reader.cancel(),
    };
  } catch {
    return copyInto(stream.getReader());
  }
}

/** @param {ReadableStreamDefaultReader<Bytes>} reader */
function copyInto(reader) {
  let rest = new Uint8Array();
  return {
    /** @param {Bytes} into */
    async read(into) {
      while (rest.length === 0) {
        const { value, done } = await reader.read().catch(reportUnreachable);
        if (done) break;
        rest = value;
      }
      const piece = rest.subarray(0, into.length);
      rest = rest.subarray(piece.length);
      into.set(piece);
      return into.subarray(0, piece.length);
    },
    cancel: () => reader.cancel(),
  };
}

/** @returns {never} */
function reportUnreachable() {
  throw new Unreachable();
}
