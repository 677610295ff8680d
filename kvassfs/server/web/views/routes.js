/** The addresses within the page: what stands behind `#`, so that "back" works. It names keys, and never holds a secret. */

/**
 * Where a person is: the name of a view, what it shows, and the number of a version where it shows one.
 * @typedef {{ view: string, key: string, number: number | null }} Route
 */

const VIEWS = [
  "",
  "latest",
  "find",
  "more",
  "edit",
  "new",
  "versions",
  "version",
  "share",
  "links",
  "removed",
  "conflicts",
  "shared",
  "share-lost",
];

const ROUTE_FORM = /^#([a-z-]*?)(?:-([0-9]{1,15}))?(?:\/(.*))?$/s;

/**
 * Return the address of a view of a key.
 * @param {string} view
 * @param {string} [key]
 * @param {number} [number]
 */
export function formatRoute(view, key, number) {
  const path = key === undefined ? "" : `/${key.split("/").map(encodePart).join("/")}`;
  return `#${view}${number === undefined ? "" : `-${number}`}${path}`;
}

/**
 * Return the address at which a file or directory is shown.
 * @param {string} key
 */
export function locateItem(key) {
  return formatRoute("", key);
}

/**
 * Return where an address leads, `null` if it is none of these: what pairing needs may stand there.
 * @param {string} fragment
 * @returns {Route | null}
 */
export function parseRoute(fragment) {
  if (fragment === "" || fragment === "#") return { view: "", key: "", number: null };
  const [, view, number, path] = ROUTE_FORM.exec(fragment) ?? [];
  if (view === undefined || !VIEWS.includes(view) || (view === "" && path === undefined)) return null;
  try {
    const key = (path ?? "").split("/").map(decodeURIComponent).join("/");
    return { view, key, number: number === undefined ? null : Number(number) };
  } catch {
    return null; // a % that nothing here wrote
  }
}

/**
 * Return the secret that the page was opened with, "" without one, and clear it from the address and the history.
 * @returns {string}
 */
export function takeSecret() {
  const fragment = location.hash;
  if (parseRoute(fragment) !== null) return "";
  history.replaceState(null, "", location.pathname + location.search);
  return fragment.slice(1);
}

/**
 * Return the directory that a file or directory is in, "" for the root.
 * @param {string} key
 */
export function findFolder(key) {
  return key.slice(0, key.lastIndexOf("/", key.length - 2) + 1);
}

/**
 * Return the last part of a key, without the `/` of a directory.
 * @param {string} key
 */
export function findName(key) {
  return key.slice(findFolder(key).length).replace(/\/$/, "");
}

/**
 * A key may have half of a pair of surrogates, which no address can have.
 * @param {string} part
 */
function encodePart(part) {
  return encodeURIComponent(part.toWellFormed()).replaceAll("'", "%27");
}
