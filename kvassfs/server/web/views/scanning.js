/** Reads a QR code with the camera, where the browser can. */

import { showDialog } from "./dialogs.js";
import { make } from "./elements.js";
import { TEXTS } from "./texts.js";

/** @typedef {{ detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]> }} Detector */
/** @typedef {{ new (options: { formats: string[] }): Detector, getSupportedFormats(): Promise<string[]> }} DetectorClass */

/** Milliseconds between two looks. */
const LOOK_EVERY = 200;

/** @returns {DetectorClass | undefined} */
function findDetector() {
  return /** @type {{ BarcodeDetector?: DetectorClass }} */ (/** @type {unknown} */ (window)).BarcodeDetector;
}

/** Return true where there is a camera, and something that reads codes. */
export async function canScan() {
  const found = findDetector();
  if (found === undefined || navigator.mediaDevices === undefined) return false;
  try {
    const [formats, devices] = await Promise.all([
      found.getSupportedFormats(),
      navigator.mediaDevices.enumerateDevices(),
    ]);
    return formats.includes("qr_code") && devices.some(({ kind }) => kind === "videoinput");
  } catch {
    return false;
  }
}

/**
 * Show what the camera sees until there is a code in it, and return what that says; `null` if somebody thought better of it.
 * @returns {Promise<string | null>}
 */
export async function scanCode() {
  const found = findDetector();
  if (found === undefined) return null;
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const detector = new found({ formats: ["qr_code"] });
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  try {
    return await showDialog(TEXTS.scan, (/** @type {(value: string | null) => void} */ answer) => {
      const video = make("video", {
        class: "camera",
        autoplay: true,
        playsinline: true,
        muted: true,
        "aria-label": TEXTS.camera,
      });
      video.srcObject = stream;
      timer = setInterval(() => lookFor(detector, video).then((text) => text !== null && answer(text)), LOOK_EVERY);
      return [make("p", {}, TEXTS.scanHint), video];
    });
  } finally {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
  }
}

/**
 * @param {Detector} detector
 * @param {HTMLVideoElement} video
 */
async function lookFor(detector, video) {
  try {
    return (await detector.detect(video))[0]?.rawValue ?? null;
  } catch {
    return null; // there is no picture yet
  }
}
