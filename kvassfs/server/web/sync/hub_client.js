/** Calls to the hub: sealed requests, and responses that are checked: kvassfs/sync/hub_client.py. */

import { decodeBlocksResponse, encodeBlocksRequest } from "../messages/block_messages.js";
import { decodePullResponse, decodePushResponse, encodePullRequest, encodePush } from "../messages/messages.js";
import { computeDigest, computeMark, Seal } from "../messages/seal.js";
import { MAX_HUB_LEAP } from "../replica/merging.js";
import { forgetHub } from "../replica/outbox.js";
import { drawProcessId } from "../replica/replica.js";
import { encodeUrl } from "../words/bytes.js";
import { InvalidMessage, OutOfRange, Undecipherable } from "../words/errors.js";
import { HubDowngraded, HubFailed, NotAHub, PullRefused, PushRefused } from "./errors.js";
import { recognise } from "./recognition.js";

/** @import { PullRequest, PullResponse, PushResponse } from "../messages/messages.js" */
/** @import { Replica } from "../replica/replica.js" */
/** @import { HubState } from "../replica/rows.js" */
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
    this.epoch = replica.facts.hub.epoch;
  }

  /** Whether the replica still has the hub that this client began with. */
  get isCurrent() {
    return this.#replica.facts.hub.epoch === this.epoch;
  }

  /**
   * Push entries, and return the response if it can be used, `null` if the exchange begins anew.
   * @param {Delivery[]} deliveries
   * @param {KnownHub} known
   * @returns {Promise<PushResponse | null>}
   */
  async push(deliveries, known) {
    const body = await this.#sealBody(encodePush(deliveries));
    const sent = this.#replica.machine.uptime();
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
    const sent = request.wait > 0 ? null : this.#replica.machine.uptime();
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
   * @param {number | null} sent
   */
  async #accept(known, response, sent) {
    const canBeUsed = await this.#act(recognise(known, this.#replica.facts.clock, response));
    if (canBeUsed && sent !== null) this.#replica.hubTime.note(response.time, sent, this.#replica.machine.uptime());
    return canBeUsed;
  }

  /** @param {Meaning} meaning */
  async #act(meaning) {
    if (meaning.kind === "set back") {
      await this.#becomeAnother(meaning.counter);
      return false;
    }
    if (meaning.kind === "stranger") {
      this.#countStranger();
      await this.#beginAnew(() => undefined);
      await this.#noteHub(meaning.processId, 0, 0);
      return false;
    }
    this.#strangers = 0;
    if (meaning.kind === "learned") await this.#noteHub(meaning.processId, meaning.incarnation, meaning.told);
    return true;
  }

  /** @param {number} counter */
  async #becomeAnother(counter) {
    const { clock } = this.#replica.facts;
    if (counter > clock + MAX_HUB_LEAP) throw new PullRefused("the counters that it has of this device are out of range");
    this.#countStranger();
    await this.#beginAnew((facts) => {
      facts.processId = drawProcessId(this.#random);
      if (!this.#replica.isSealed) facts.clock = Math.max(facts.clock, counter); // else it has no say in our clock
    });
  }

  #countStranger() {
    this.#strangers += 1;
    if (this.#strangers > TRIES) throw new HubFailed(200, "it is another store each time that it answers");
  }

  /** @param {(facts: Replica["facts"]) => void} change */
  async #beginAnew(change) {
    await this.#replica.change((transaction) => {
      if (transaction.facts.hub.epoch !== this.epoch) return;
      change(transaction.facts);
      forgetHub(transaction);
    });
    this.#replica.hubTime.forget();
    this.epoch = this.#replica.facts.hub.epoch;
  }

  /**
   * @param {number} processId
   * @param {number} incarnation
   * @param {number} told
   */
  async #noteHub(processId, incarnation, told) {
    await this.#replica.change(({ facts: { hub } }) => {
      if (hub.epoch !== this.epoch) return;
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
