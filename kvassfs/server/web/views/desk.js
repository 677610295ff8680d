/** What all views share: the store, the notices, what is being saved, and the way to other views. */

import { describeTrouble, TEXTS } from "./texts.js";
import { Notices } from "./notices.js";
import { Uploads } from "./uploads.js";

/** @import { Device } from "../app/device.js" */

/**
 * What is shown: its title, what stands beside that, and how one gets up from it. `enter` is called once it is there, `update`
 * when the store may have changed, `leave` when something else is shown. `mayLeave` is asked before; while `isUnsaved`, the browser asks
 * before the page is closed. `first` returns what is focused, and `take` takes files that are dropped or pasted.
 * @typedef {{
 *   title: string, element: HTMLElement, up?: string, tab?: string, path?: HTMLElement | undefined, actions?: HTMLElement[], first?: () => HTMLElement | undefined,
 *   enter?: () => void, update?: () => void, leave?: () => void, isUnsaved?: () => boolean, mayLeave?: () => Promise<boolean>, take?: (files: File[]) => void,
 * }} View
 */

export class Desk {
  /** @param {Device} device */
  constructor(device) {
    this.device = device;
    this.notices = new Notices();
    this.uploads = new Uploads(this);
  }

  /** What was searched last, so that "back" finds it. */
  sought = "";

  /** How far each view was scrolled, by its address. @type {Map<string, number>} */
  scrolled = new Map();

  /** The key that was shown last, which is focused where it is listed. */
  shown = "";

  /**
   * Show another view.
   * @param {string} address
   */
  go(address) {
    location.hash = address;
  }

  /**
   * Show another view, to which "back" leads in place of this one.
   * @param {string} address
   */
  replace(address) {
    location.replace(address);
  }

  /**
   * Do something, and return whether it was done. Where it failed, that is said, and all of it can be tried again.
   * @param {() => Promise<unknown>} work
   */
  async attempt(work) {
    try {
      await work();
      return true;
    } catch (error) {
      if (this.device.status.stage === "elsewhere") this.offerTakeOver(work);
      else this.notices.warn(describeTrouble(error), () => this.attempt(work));
      return false;
    }
  }

  /**
   * Say that another tab has the store, and offer to take it from there; then do what could not be done without it.
   * @param {() => Promise<unknown>} [then]
   */
  offerTakeOver(then = async () => undefined) {
    const takeOver = async () => {
      await this.device.takeOver();
      await then();
    };
    this.notices.warn(TEXTS.elsewhereText, () => this.attempt(takeOver), TEXTS.useHere);
  }
}
