/**
 * The service worker of the page: keeps its files for when there is no hub, and what other programs share with it.
 *
 * What is not below its scope goes to the hub past it. Caches belong to the origin, which may have the pages of several
 * stores, so they are named for the scope, or have addresses in it.
 */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

/** What tells this edition of the page from others: the hub puts a hash here. */
const EDITION = "{edition}";

const SCOPE = worker.registration.scope;

/** What the caches of all editions of this page begin with: no path has a space. */
const EDITIONS = `kvass-app ${new URL(SCOPE).pathname} `;

/** The cache with the files of this edition. */
const KEPT = EDITIONS + EDITION;

/**
 * The cache with what was shared and the page has not taken yet: below `SCOPE/shared/`, in the order of the numbers there.
 * Each is a text or file with its `Content-Type`, its field of the form (`title`, `text`, `url` or `files`) in
 * `X-Kvass-Field`, and the name of a file, encoded as a component of an address, in `X-Kvass-Name`.
 */
const SHARED = "kvass-shared";

const FILES = [
  "./",
  "manifest.webmanifest",
  "icon.svg",
  "icon-192.png",
  "icon-512.png",
  "icon-maskable-512.png",
  "apple-touch-icon.png",
];

/** Milliseconds for which the hub is waited for before the kept page is shown. */
const PATIENCE = 2000;

worker.addEventListener("install", (event) => event.waitUntil(keepFiles()));

worker.addEventListener("activate", (event) => event.waitUntil(removeEditions()));

worker.addEventListener("message", (event) => {
  if (event.data === "skip waiting") event.waitUntil(worker.skipWaiting());
});

worker.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (!url.startsWith(SCOPE)) return;
  const path = url.slice(SCOPE.length).replace(/[?#].*/s, "");
  if (method === "POST" && path === "share") {
    event.respondWith(takeShared(event.request));
  } else if (method === "GET" && path === "") {
    event.respondWith(findPage(event));
  } else if (method === "GET" && FILES.includes(path)) {
    event.respondWith(findFile(event.request));
  }
});

/** Keep the files of this edition, as the hub has them now. */
async function keepFiles() {
  const cache = await caches.open(KEPT);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" })));
}

/** Remove the files of all other editions. */
async function removeEditions() {
  const others = (await caches.keys()).filter((name) => name.startsWith(EDITIONS) && name !== KEPT);
  await Promise.all(others.map((name) => caches.delete(name)));
}

/**
 * Return the page of the hub, or the kept one where none comes soon.
 * @param {FetchEvent} event
 */
async function findPage(event) {
  const coming = fetch(event.request).then((response) => (isPage(response) ? response : null));
  const soon = await Promise.race([coming.catch(() => null), wait(PATIENCE)]);
  if (soon !== null) {
    event.waitUntil(keepPage(soon.clone()));
    return soon;
  }
  return (await findKept("./")) ?? fetch(event.request);
}

/**
 * Say whether a response has the page: a proxy on the way may have another one, for whoever has to log in.
 * @param {Response} response
 */
function isPage(response) {
  return response.ok && !response.redirected && response.headers.get("Content-Security-Policy")?.includes("kvass-worker");
}

/**
 * Keep the page that was shown last, lest an earlier one finds what it does not know when there is no hub.
 * @param {Response} response
 */
async function keepPage(response) {
  const kept = await findKept("./");
  if (kept?.headers.get("ETag") !== response.headers.get("ETag")) await (await caches.open(KEPT)).put("./", response);
}

/** @param {Request} request */
async function findFile(request) {
  return (await findKept(request)) ?? fetch(request);
}

/** @param {RequestInfo} request */
async function findKept(request) {
  return (await caches.open(KEPT)).match(request, { ignoreSearch: true, ignoreVary: true });
}

/**
 * @param {number} milliseconds
 * @returns {Promise<null>}
 */
function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, null));
}

/**
 * Keep what another program shares until the page takes it, and show the page.
 * @param {Request} request
 */
async function takeShared(request) {
  try {
    const form = await request.formData();
    const cache = await caches.open(SHARED);
    let number = Date.now() * 1000; // later ones have greater numbers
    for (const [field, value] of form) {
      if (value !== "") await cache.put(`shared/${number++}`, describeShared(field, value));
    }
  } catch {
    return Response.redirect(`${SCOPE}#share-lost`, 303); // there is no room, or the form is none
  }
  return Response.redirect(`${SCOPE}#shared`, 303);
}

/**
 * @param {string} field
 * @param {string | File} value
 */
function describeShared(field, value) {
  const [name, type] = typeof value === "string" ? ["", "text/plain;charset=utf-8"] : [value.name, value.type];
  const headers = { "Content-Type": type, "X-Kvass-Field": field, "X-Kvass-Name": encodeURIComponent(name) };
  return new Response(value, { headers });
}
