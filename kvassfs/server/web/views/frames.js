/** Shows HTML in a frame without scripts, network and origin. */

import { make } from "./elements.js";

/**
 * The part of trusted types that is used here.
 * @typedef {{ createHTML: (text: string) => string }} FramePolicy
 * @typedef {{ createPolicy: (name: string, rules: FramePolicy) => FramePolicy }} FrameTypes
 */

/**
 * What the document in the frame is kept from, beside what the policy of this page and the sandbox keep it from: a document in a frame
 * has the policy of the page around it, and can only make it narrower.
 */
const FRAME_HEAD =
  '<!DOCTYPE html><meta http-equiv="Content-Security-Policy" content="default-src \'none\'"><meta name="referrer" content="no-referrer">';

/** @type {FramePolicy | null} */
let framePolicy = null;

/**
 * Return a frame with a document. `sandbox` without a word allows nothing: no scripts, forms, windows, nor the origin of this page.
 * @param {string} text
 * @param {string} title
 */
export function makeFrame(text, title) {
  const frame = make("iframe", { class: "document", sandbox: "", title, referrerpolicy: "no-referrer", allow: "" });
  frame.srcdoc = trustForFrame(FRAME_HEAD + text);
  return frame;
}

/**
 * Return a text as what alone the browser takes for a document in a frame; nothing else here makes any.
 * @param {string} text
 */
function trustForFrame(text) {
  const types = /** @type {{ trustedTypes?: FrameTypes }} */ (/** @type {unknown} */ (window)).trustedTypes;
  if (types === undefined) return text;
  framePolicy ??= types.createPolicy("kvass-frame", { createHTML: (html) => html });
  return framePolicy.createHTML(text);
}
