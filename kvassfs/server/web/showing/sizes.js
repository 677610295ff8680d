/** Says how large something is. */

/**
 * Return a number of bytes in words.
 * @param {number} size
 */
export function formatSize(size) {
  for (const [unit, factor] of /** @type {const} */ ([["GB", 1e9], ["MB", 1e6], ["kB", 1e3]])) {
    if (size >= factor) return `${(size / factor).toFixed(1).replace(/\.0$/, "")} ${unit}`;
  }
  return size === 1 ? "1 byte" : `${size} bytes`;
}
