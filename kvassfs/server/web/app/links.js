/** Links to keys, and their addresses: kvassfs/sharing/links.py, kvassfs/sharing/sealed_links.py. */

import { listLiveLinks } from "../replica/links.js";
import { removeVersion, varyVersion } from "../replica/versions.js";
import { hideKey } from "../veil/keys.js";
import { addressLink, formatFragment, makeLink } from "../veil/links.js";
import { drawRandom } from "../words/bytes.js";
import { isFile, makeToken } from "../words/entry.js";
import { formatRecord } from "../words/share_link.js";

/** @import { Replica } from "../replica/replica.js" */
/** @import { StoreKeys } from "../sync/synchroniser.js" */
/** @import { ShareLink } from "../words/share_link.js" */
/** @import { Share } from "./device.js" */

/** When a link ends, µs since the epoch (0 = never), or after one use. @typedef {{ expires: number, once: boolean }} Terms */

/**
 * Return the links to a key that have not ended, to all keys for "", each with its key.
 * @param {Replica} replica
 * @param {StoreKeys} keys
 * @param {string} key
 * @returns {Promise<{ key: string, link: ShareLink }[]>}
 */
export async function listLinks(replica, { veil }, key) {
  const live = listLiveLinks(replica, replica.machine.now()).map(({ link }) => link);
  if (veil === null) return live.filter((link) => key === "" || link.key === key).map((link) => ({ key: link.key, link }));
  const found = [];
  for (const each of live.length === 0 ? [] : key === "" ? replica.rows.keys() : [key]) {
    const name = await hideKey(veil, each);
    for (const link of live) if (link.key === name) found.push({ key: each, link });
  }
  return found;
}

/**
 * Make a link to a key. In a sealed store its version is saved anew, so that who has the link can open it.
 * @param {Replica} replica
 * @param {StoreKeys} keys
 * @param {string} key
 * @param {Terms} terms
 */
export async function createLink(replica, { veil }, key, terms) {
  const link = veil === null ? { token: makeToken(drawRandom), key, ...terms } : await makeLink(veil, await hideKey(veil, key), terms, drawRandom);
  await replica.change((transaction) => {
    removeVersion(transaction, formatRecord(link), { token: link.token });
    const row = veil === null ? null : transaction.row(key);
    if (row !== null && isFile(row.entry)) varyVersion(transaction, row, { urlToken: makeToken(drawRandom) });
  });
  return link;
}

/**
 * End the link with a token, if it has not ended.
 * @param {Replica} replica
 * @param {string} token
 */
export async function endLink(replica, token) {
  const found = listLiveLinks(replica, replica.machine.now()).find(({ link }) => link.token === token);
  if (found !== undefined) await replica.change((transaction) => removeVersion(transaction, found.record));
}

/**
 * Return a link as it is shown; its address is below that of the hub, which ends in `/`.
 * @param {StoreKeys} keys
 * @param {string} hub
 * @param {string} key
 * @param {ShareLink} link
 * @returns {Promise<Share>}
 */
export async function describeShare({ veil }, hub, key, link) {
  const { token, expires, once } = link;
  const address = veil === null ? `${hub}get?q=${token}` : `${hub}open#${formatFragment(await addressLink(veil, link))}`;
  return { token, key, address, expires: expires === 0 ? null : expires / 1000, once };
}
