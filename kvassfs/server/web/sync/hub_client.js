/** Calls to the hub: sealed requests, and responses that are checked: kvassfs/sync/hub_client.py. */

import { decodeBlocksResponse, encodeBlocksRequest } from "../messages/block_messages.js";
import { decodePullResponse, decodePushResponse, encodePullRequest, encodePush } from "../messages/messages.js";
import { computeDigest, computeMark, Seal } from "../messages/seal.js";
import { readMoment } from "../replica/hub_time.js";
import { MAX_HUB_LEAP } from "../replica/merging.js";
import { forgetHub } from "../replica/outbox.js";
import { drawProcessId } from "../replica/replica.js";
import { encodeUrl } from "../words/bytes.js";
import { InvalidMessage, OutOfRange, Undecipherable } from "../words/errors.js";
import { HubDowngraded, HubFailed, NotAHub, PullRefused, PushRefused } from "./errors.js";
import { recognise } from "./recognition.js";

/** @import { PullRequest, PullResponse, PushResponse } from "../messages/messages.js" */
/** @import { Replica } from "../replica/replica.js" */
/** @import { Moment } from "../replica/hub_time.js" */
/** @import { Facts, HubState } from "../replica/rows.js" */
/** @import { Bytes, Random } from "../words/bytes.js" */
/** @import { Delivery } from "../words/entry.js" */
/** @import { Meaning } from "./recognition.js" */

/**
 * Sends a sealed body to `push`, `pull` or `blocks` of the hub, which may wait for so many seconds, and returns that of the response. Rejects
 * with a SyncError.
 * @typedef {(call: "push" | "pull" | "blocks", body: Bytes, wait: number) => Promise<Bytes>} Post
 */

/** @typedef {HubState & { cursor: number }} KnownHub */

/** How often the hub is asked for the same before that counts as failed. */
export const TRIES = 3;

const KEPT_NONCES = 1000;
const NONCE_LENGTH = 12;
const BAD_REQUEST = 400;

export class HubClient {
  /** Nonces of what was sent lately: a response that has one of them is none. @type {Set<string>} */
  #nonces = new Set();
  #strangers = 0;
  #replica;
  #post;
  #seal;
  #random;
  #leavesOut;

  /**
   * @param {Replica} replica
   * @param {Post} post
   * @param {CryptoKey} key that messages are sealed with
   * @param {Random} random
   */
  constructor(replica, post, key, random) {
    this.#replica = replica;
    this.#post = post;
    this.#seal = new Seal(key, random);
    this.#random = random;
    this.#leavesOut = replica.isSealed; // of a sealed store, what cannot be read holds up nothing else
  }

  /**
   * Push entries, and return the response if it can be used, `null` if the exchange begins anew.
   * @param {Delivery[]} deliveries
   * @param {KnownHub} known
   * @returns {Promise<PushResponse | null>}
   */
  async push(deliveries, known) {
    const body = await this.#sealBody(encodePush(deliveries));
    const sent = readMoment(this.#replica.machine);
    const sealed = await this.#send("push", body, 0);
    if (sealed.length === 0) throw new HubDowngraded();
    const response = await this.#open(sealed, decodePushResponse);
    await checkDigest(body, response.digest);
    return (await this.#accept(known, response, sent)) ? response : null;
  }

  /**
   * Pull entries, and return the response if it can be used, `null` if the exchange begins anew.
   * @param {PullRequest} request
   * @param {KnownHub} known
   * @returns {Promise<PullResponse | null>}
   */
  async pull(request, known) {
    const body = await this.#sealBody(encodePullRequest(request));
    const sent = request.wait > 0 ? null : readMoment(this.#replica.machine);
    const sealed = await this.#send("pull", body, request.wait);
    const response = await this.#open(sealed, (plaintext) => decodePullResponse(plaintext, this.#leavesOut));
    await checkDigest(body, response.digest);
    return (await this.#accept(known, response, sent)) ? response : null;
  }

  /**
   * Return the blocks with these hashes, `null` for one that the hub has not got.
   * @param {Bytes[]} hashes
   */
  async findBlocks(hashes) {
    const blocks = await this.#exchangeBlocks(hashes, []);
    return hashes.map((_, index) => blocks[index] ?? null);
  }

  /**
   * Send blocks to the hub.
   * @param {Bytes[]} blocks
   */
  async sendBlocks(blocks) {
    await this.#exchangeBlocks([], blocks);
  }

  /**
   * @param {Bytes[]} get
   * @param {Bytes[]} put
   */
  async #exchangeBlocks(get, put) {
    const body = await this.#sealBody(encodeBlocksRequest(get, put));
    const { name, blocks } = await this.#open(await this.#send("blocks", body, 0), decodeBlocksResponse);
    if (name !== computeMark(body)) await checkDigest(body, name);
    return blocks;
  }

  /** @param {Bytes} message */
  async #sealBody(message) {
    const body = await this.#seal.seal(message);
    this.#nonces.add(nameNonce(body));
    const [oldest] = this.#nonces;
    if (this.#nonces.size > KEPT_NONCES && oldest !== undefined) this.#nonces.delete(oldest);
    return body;
  }

  /**
   * @param {"push" | "pull" | "blocks"} call
   * @param {Bytes} body
   * @param {number} wait
   */
  async #send(call, body, wait) {
    let sealed;
    try {
      sealed = await this.#post(call, body, wait);
    } catch (error) {
      if (call === "push" && error instanceof HubFailed && error.status === BAD_REQUEST) throw new PushRefused(error.message);
      throw error;
    }
    if (this.#nonces.has(nameNonce(sealed))) throw new NotAHub("it sends back what was sent to it");
    return sealed;
  }

  /**
   * @template Response
   * @param {Bytes} sealed
   * @param {(plaintext: Bytes) => Response} decode
   */
  async #open(sealed, decode) {
    try {
      return decode(await this.#seal.unseal(sealed));
    } catch (error) {
      // Not another key: a hub that has one could not decrypt the request, and says that with a status of its own.
      if (error instanceof Undecipherable) throw new NotAHub("its answer cannot be decrypted");
      if (error instanceof OutOfRange) throw new PullRefused(error.message);
      if (error instanceof InvalidMessage) throw new NotAHub(error.message);
      throw error;
    }
  }

  /**
   * Return true if a response can be used; note what it tells of the hub, and of its clock.
   * @param {KnownHub} known
   * @param {PullResponse | PushResponse} response
   * @param {Moment | null} sent
   */
  async #accept(known, response, sent) {
    const canBeUsed = await this.#act(recognise(known, this.#replica.facts.wrote, response), known.epoch);
    if (canBeUsed && sent !== null) this.#replica.hubTime.note(response.time, sent);
    return canBeUsed;
  }

  /**
   * Act on what a response means, of the hub of an `epoch`: the other loop may have found meanwhile that it is another one.
   * @param {Meaning} meaning
   * @param {number} epoch
   */
  async #act(meaning, epoch) {
    if (meaning.kind === "set back") {
      await this.#becomeAnother(meaning.counter, epoch);
      return false;
    }
    if (meaning.kind === "stranger") {
      this.#countStranger();
      await this.#beginAnew(epoch, ({ hub }) => (hub.processId = meaning.processId));
      return false;
    }
    this.#strangers = 0;
    if (meaning.kind === "learned") await this.#noteHub(meaning, epoch);
    return this.#replica.facts.hub.epoch === epoch;
  }

  /**
   * @param {number} counter
   * @param {number} epoch
   */
  async #becomeAnother(counter, epoch) {
    const { clock } = this.#replica.facts;
    if (counter > clock + MAX_HUB_LEAP) throw new PullRefused("the counters that it has of this device are out of range");
    this.#countStranger();
    await this.#beginAnew(epoch, (facts) => {
      facts.processId = drawProcessId(this.#random);
      facts.wrote = 0;
      if (!this.#replica.isSealed) facts.clock = Math.max(facts.clock, counter); // else it has no say in our clock
    });
  }

  #countStranger() {
    this.#strangers += 1;
    if (this.#strangers > TRIES) throw new HubFailed(200, "it is another store each time that it answers");
  }

  /**
   * Go on with the same hub as with a new one, unless that has been done.
   * @param {number} epoch
   * @param {(facts: Facts) => void} change
   */
  async #beginAnew(epoch, change) {
    await this.#replica.change((transaction) => {
      if (transaction.facts.hub.epoch !== epoch) return;
      forgetHub(transaction);
      change(transaction.facts);
    });
    this.#replica.hubTime.forget();
  }

  /**
   * @param {{ processId: number, incarnation: number, told: number }} learned
   * @param {number} epoch
   */
  async #noteHub({ processId, incarnation, told }, epoch) {
    await this.#replica.change(({ facts: { hub } }) => {
      if (hub.epoch !== epoch) return;
      hub.processId = processId;
      if (hub.told <= told) hub.incarnation = incarnation;
      hub.told = Math.max(hub.told, told);
    });
  }
}

/** @param {Bytes} body */
function nameNonce(body) {
  return encodeUrl(body.subarray(0, NONCE_LENGTH));
}

/**
 * Refuse a response to another request: one that somebody in between has kept, say.
 * @param {Bytes} body
 * @param {string} digest
 */
async function checkDigest(body, digest) {
  if (digest !== (await computeDigest(body))) throw new NotAHub("it answers another request than the one that was made");
}
