/** Has the page work without its hub: registers the service worker, and tells of another edition of the page. */

/**
 * The one policy of trusted types here: whatever it is asked for, it has the address of the worker alone.
 * @typedef {{ createPolicy: (name: string, rules: { createScriptURL: () => string }) => { createScriptURL: (text: string) => string } }} TrustedTypes
 */

const WORKER = "worker.js";

/** What the worker that waits is sent, so that it takes the place of the one at work. */
const TAKE_OVER = "skip waiting";

/**
 * Register the worker, where the browser has any, which needs https:// or localhost.
 * @param {(takeOver: () => void) => void} [tellNew] called once another edition is here; what it gets reloads the page with that
 */
export async function registerWorker(tellNew = () => undefined) {
  if (!("serviceWorker" in navigator)) return;
  const registration = await navigator.serviceWorker.register(nameWorker());
  const look = () => {
    if (registration.waiting !== null && registration.active !== null) tellNew(() => takeOver(registration.waiting));
  };
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", look));
  look();
}

/** Return the address of the worker, as the browser wants it. */
function nameWorker() {
  const types = /** @type {{ trustedTypes?: TrustedTypes }} */ (/** @type {unknown} */ (window)).trustedTypes;
  return types?.createPolicy("kvass-worker", { createScriptURL: () => WORKER }).createScriptURL("") ?? WORKER;
}

/**
 * Have a worker that waits take over, and the page be that of its edition.
 * @param {ServiceWorker | null} waiting
 */
function takeOver(waiting) {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  waiting?.postMessage(TAKE_OVER);
}
