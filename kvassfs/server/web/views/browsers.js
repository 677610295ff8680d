/** What the page has to know of the browser that it is in. */

/** Programs by what is in their name for themselves; the first that is there is it. */
const BROWSERS = [
  ["Edg", "Edge"],
  ["OPR", "Opera"],
  ["SamsungBrowser", "Samsung Internet"],
  ["Firefox", "Firefox"],
  ["FxiOS", "Firefox"],
  ["CriOS", "Chrome"],
  ["Chrome", "Chrome"],
  ["Safari", "Safari"],
];

const SYSTEMS = [
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Android.*Mobile", "phone"],
  ["Android", "tablet"],
  ["CrOS", "Chromebook"],
  ["Mac OS", "Mac"],
  ["Windows", "Windows"],
  ["Linux", "Linux"],
];

/**
 * Return a name for this device, such as "phone (Chrome)", which a person may change.
 * @param {string} agent
 */
export function nameDevice(agent) {
  return `${findNamed(SYSTEMS, agent, "browser")} (${findNamed(BROWSERS, agent, "browser")})`;
}

/**
 * @param {string[][]} table
 * @param {string} agent
 * @param {string} fallback
 */
function findNamed(table, agent, fallback) {
  return table.find(([form = ""]) => new RegExp(form).test(agent))?.[1] ?? fallback;
}

/**
 * Return true in a tab of a browser of iOS: what is installed on the home screen there has a storage of its own, and that alone is kept.
 */
export function isTabOfIos() {
  const { standalone, maxTouchPoints } = /** @type {Navigator & { standalone?: boolean }} */ (navigator);
  return standalone === false && maxTouchPoints > 1;
}
