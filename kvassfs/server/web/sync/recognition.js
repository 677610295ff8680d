/** What a response means: whether it is the known hub that responds, and what has become of it or of this device: kvassfs/sync/recognition.py. */

/** @import { Incarnation } from "../messages/messages.js" */
/** @import { Facts, HubState } from "../replica/rows.js" */

/** @typedef {{ processId: number, clock: number, incarnations: Incarnation[], written?: number }} Said */

/**
 * - `same`: the known hub, and nothing is to be noted; `learned`: it is, or the first one that responds, and that is to be noted.
 * - `stranger`: a hub that may lack anything that the known one had.
 * - `set back`: the hub has entries of this device, up to `counter`, that it never wrote as far as it knows: it was set back, or another browser
 *   has a copy of its store.
 * @typedef {(
 *   { kind: "same" } | { kind: "learned", processId: number, incarnation: number, told: number } |
 *   { kind: "stranger", processId: number } | { kind: "set back", counter: number }
 * )} Meaning
 */

/**
 * Return what a response means.
 * @param {HubState & { cursor: number }} known what was known of the hub when it was asked
 * @param {number} wrote the counter of what this device wrote last
 * @param {Said} said
 * @returns {Meaning}
 */
export function recognise(known, wrote, said) {
  if (said.written !== undefined && said.written > wrote) return { kind: "set back", counter: said.written };
  if (known.processId !== 0 && known.processId !== said.processId) return { kind: "stranger", processId: said.processId };
  if (!remembers(known, said)) return { kind: "stranger", processId: said.processId };
  const incarnation = said.incarnations.at(-1)?.mark ?? 0;
  if (known.processId === said.processId && known.incarnation === incarnation && known.told === said.clock) {
    return { kind: "same" };
  }
  return { kind: "learned", processId: said.processId, incarnation, told: said.clock };
}

/**
 * Return true if the hub has forgotten nothing that it told.
 * @param {HubState & { cursor: number }} known
 * @param {Said} said
 */
function remembers(known, { clock, incarnations }) {
  if (known.incarnation === 0) return clock >= Math.max(known.told, known.cursor);
  return incarnations.some(({ mark, told }) => mark === known.incarnation && told >= known.told);
}

/**
 * Return what is known of the hub.
 * @param {Facts} facts
 */
export function knowHub(facts) {
  return { ...facts.hub, cursor: facts.cursor };
}
