/** Links to a key that end by themselves, and the entries that they travel as: kvassfs/share_link.py, kvassfs/echo.py. */

/**
 * A link to `key`: it ends at `expires` (µs since the epoch; 0 = never), or after it was used `once`.
 * @typedef {{ token: string, key: string, expires: number, once: boolean }} ShareLink
 */

/** What all keys begin with under which something else travels than values. */
export const RESERVED = "\u0001";

const RECORD = /^\u0001link\/([^/]*)\/([0-9]{1,18}|-)\/(once|often)\/(.+)$/su;
const ECHO = /^\u0001echo\/[0-9]{1,10}\/[01h]$/u;

/**
 * Return the link that the key of an entry holds, `null` if it is the key of something else.
 * @param {string} key
 * @returns {ShareLink | null}
 */
export function parseRecord(key) {
  if (!key.startsWith(RESERVED)) return null;
  const [, token, expires, uses, target] = RECORD.exec(key) ?? [];
  if (token === undefined || target === undefined) return null;
  return { token, key: target, expires: expires === "-" ? 0 : Number(expires), once: uses === "once" };
}

/**
 * Return the key of the entry that a link travels as.
 * @param {ShareLink} link
 */
export function formatRecord({ token, key, expires, once }) {
  return `${RESERVED}link/${token}/${expires || "-"}/${once ? "once" : "often"}/${key}`;
}

/**
 * Return true for the key of an echo, with which devices ask hubs of the original program who they are.
 * @param {string} key
 */
export function isEcho(key) {
  return ECHO.test(key);
}

/**
 * Return true if the time of a link is over at `now`, µs since the epoch.
 * @param {ShareLink} link
 * @param {number} now
 */
export function hasExpired({ expires }, now) {
  return expires > 0 && expires <= now;
}
