/** Pulling: what the hub has is merged here, page by page: kvassfs/sync/puller.py. */

import { mergePulled } from "../replica/merging.js";
import { MAX_NUMBER } from "../words/entry.js";
import { OutOfRange } from "../words/errors.js";
import { HubFailed, PullRefused } from "./errors.js";
import { TRIES } from "./hub_client.js";
import { knowHub } from "./recognition.js";

/** @import { PullResponse } from "../messages/messages.js" */
/** @import { Replica } from "../replica/replica.js" */
/** @import { Facts } from "../replica/rows.js" */
/** @import { HubClient, KnownHub } from "./hub_client.js" */
/** @import { Passage } from "./passage.js" */

/** Microseconds between two notes of exchanges in which nothing moved. */
const IDLE_INTERVAL = 60 * 1_000_000;

/**
 * Merge what the hub has; return how many keys changed. It may `wait` seconds until it has something. `report` is told the sequences that
 * were pulled and those that there are.
 * @param {Replica} replica
 * @param {HubClient} client
 * @param {Passage} passage
 * @param {number} wait
 * @param {(done: number, total: number) => void} report
 */
export async function pull(replica, client, passage, wait, report) {
  let changed = 0;
  let incomplete = 0;
  for (;;) {
    const known = knowHub(replica.facts);
    const response = await client.pull(makeRequest(replica, known, wait), known);
    wait = 0;
    if (response === null) continue;
    const taken = await takePage(replica, passage, known, response, incomplete === TRIES - 1);
    changed += taken.changed;
    report(Math.max(0, response.cursor), response.clock);
    if (taken.isComplete && !response.more) return changed;
    incomplete = taken.isComplete ? 0 : incomplete + 1;
    if (incomplete === TRIES) throw new HubFailed(200, "parts of its entries are missing");
  }
}

/**
 * @param {Replica} replica
 * @param {KnownHub} known
 * @param {number} wait
 */
function makeRequest({ facts, sizes }, { cursor, reached }, wait) {
  return {
    first: cursor > 0 ? Math.min(cursor + 1, MAX_NUMBER) : 0,
    // The first time, what this replica itself wrote is asked for as well: it may have been set back.
    processId: reached > 0 ? facts.processId : 0,
    wait,
    maxBytes: sizes.page,
    device: facts.processId,
    names: listNames(facts),
  };
}

/**
 * Return what devices are called, this one first: of too many a message takes the first ones.
 * @param {Facts} facts
 */
function listNames({ names, name, processId }) {
  const others = Object.entries(names).filter(([id]) => Number(id) !== processId);
  const own = name === "" ? [] : [[String(processId), name]];
  return new Map([...own, ...others].map(([id, called]) => [Number(id), String(called)]));
}

/**
 * @param {Replica} replica
 * @param {Passage} passage
 * @param {KnownHub} known
 * @param {PullResponse} response
 * @param {boolean} last
 */
async function takePage(replica, passage, known, response, last) {
  if (response.cursor > Math.max(known.cursor, response.clock)) {
    throw new PullRefused("it has entries only up to a lower number than it says");
  }
  const { arrived, isComplete, finish } = await passage.open(response, last);
  const now = replica.machine.now();
  try {
    const changed = await replica.change((transaction) => {
      const { facts } = transaction;
      const isCurrent = facts.hub.epoch === known.epoch;
      const count = mergePulled(transaction, arrived, isCurrent);
      if (!isCurrent) return count;
      noteNames(facts, response.names);
      if (isComplete) facts.cursor = Math.max(facts.cursor, response.cursor);
      const isDone = isComplete && !response.more;
      if (isDone && (count > 0 || Math.abs(now - facts.hub.reached) > IDLE_INTERVAL)) facts.hub.reached = now;
      return count;
    });
    await finish();
    return { changed, isComplete };
  } catch (error) {
    if (error instanceof OutOfRange) throw new PullRefused(error.message);
    throw error;
  }
}

/**
 * @param {Facts} facts
 * @param {PullResponse["names"]} names
 */
function noteNames(facts, names) {
  const told = Object.fromEntries([...names].filter(([id]) => id !== facts.processId).map(([id, name]) => [String(id), name]));
  facts.names = { ...facts.names, ...told };
}
