/** The links that a replica has. */

import { hasExpired, parseRecord, RESERVED } from "../words/share_link.js";

/** @import { ShareLink } from "../words/share_link.js" */
/** @import { Replica } from "./replica.js" */

/**
 * Return the links that have neither been ended nor expired at `now`, µs since the epoch, with the keys that they travel under.
 * @param {Replica} replica
 * @param {number} now
 * @returns {{ record: string, link: ShareLink }[]}
 */
export function listLiveLinks(replica, now) {
  const found = [];
  for (const { entry } of replica.rows.values()) {
    const link = entry.key.startsWith(RESERVED) ? parseRecord(entry.key) : null;
    if (link !== null && link.token === entry.urlToken && !hasExpired(link, now)) found.push({ record: entry.key, link });
  }
  return found;
}
