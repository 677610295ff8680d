/** All else: what was removed, conflicts, links, and what concerns this device. */

import { markName } from "../showing/media.js";
import { takeBack } from "./changes.js";
import { askSure } from "./dialogs.js";
import { fill, make, makeButton, makeIcon, makeLink, makeSubmit } from "./elements.js";
import { formatRoute } from "./routes.js";
import { describeHub, TEXTS } from "./texts.js";

/** @import { Status } from "../app/device.js" */
/** @import { Desk, View } from "./desk.js" */

/**
 * @param {Desk} desk
 * @returns {View}
 */
export function showMore(desk) {
  const [links, facts, keeping, passphrase] = [
    make("ul", { class: "menu" }),
    make("dl", {}),
    make("div"),
    makePassphrase(desk),
  ];
  let shown = "";
  const update = () => {
    const { status } = desk.device;
    const [conflicts, last] = [desk.device.listConflicts().length, desk.device.undoable()?.description];
    const now = JSON.stringify([status, conflicts, last]);
    if (now === shown) return;
    shown = now;
    fill(links, ...makeLinks(desk, conflicts, last));
    fill(facts, ...makeFactsOf(status));
    fill(keeping, ...makeKeeping(desk, status));
    passphrase.show(status);
  };
  update();
  const element = make(
    "div",
    { class: "more" },
    links,
    make("section", {}, make("h2", {}, TEXTS.thisDevice), facts, keeping, makeSyncButton(desk)),
    passphrase.element,
    make("section", {}, make("h2", {}, TEXTS.about), make("p", {}, TEXTS.aboutText), make("p", {}, TEXTS.aboutTrust)),
    make(
      "section",
      {},
      make("h2", {}, TEXTS.forget),
      make("p", {}, TEXTS.forgetHint),
      makeButton(TEXTS.forget, "trash", () => forgetDevice(desk), { class: "grave" }),
    ),
  );
  return { title: TEXTS.more, tab: "more", element, update };
}

/**
 * @param {Desk} desk
 * @param {number} conflicts
 * @param {string | undefined} last
 */
function makeLinks(desk, conflicts, last) {
  return [
    last !== undefined &&
      make(
        "li",
        {},
        makeButton(TEXTS.undoOf(markName(last)), "undo", () => takeBack(desk, last, 1), { class: "quiet" }),
      ),
    make("li", {}, makeLink(TEXTS.conflictCount(conflicts), "warning", formatRoute("conflicts"))),
    make("li", {}, makeLink(TEXTS.removedTitle, "trash", formatRoute("removed"))),
    make("li", {}, makeLink(TEXTS.links, "link", formatRoute("links"))),
  ];
}

/** @param {Status} status */
function makeFactsOf(status) {
  const facts = [
    [TEXTS.deviceName, markName(status.name)],
    [TEXTS.hubName, markName(status.hubName)],
    [TEXTS.keyCount, status.keys.toLocaleString("en")],
    [TEXTS.state, describeHub(status)],
    [TEXTS.sealing, status.isSealed ? TEXTS.isSealed : TEXTS.isNotSealed],
    ...status.refused.map((refused) => [TEXTS.refused, markName(refused)]),
  ];
  return facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { dir: "auto" }, value)]);
}

/**
 * @param {Desk} desk
 * @param {Status} status
 */
function makeKeeping(desk, status) {
  if (status.isPersistent !== false) return [];
  return [
    make("p", { class: "hint" }, makeIcon("warning"), TEXTS.notPersistent),
    makeButton(TEXTS.keep, null, () => keepStore(desk)),
  ];
}

/**
 * Have the browser promise that it keeps the store.
 * @param {Desk} desk
 */
export function keepStore(desk) {
  return desk.attempt(async () => {
    if (await desk.device.keep()) desk.notices.say(TEXTS.kept);
    else desk.notices.warn(TEXTS.notKept);
  });
}

/** @param {Desk} desk */
function makeSyncButton(desk) {
  return make(
    "div",
    { class: "buttons" },
    makeButton(TEXTS.synchronise, "sync", () => desk.attempt(() => desk.device.synchronise())),
  );
}

/**
 * Return what changes the passphrase, and removes it.
 * @param {Desk} desk
 */
function makePassphrase(desk) {
  const before = makePassphraseField("passphrase", TEXTS.passphraseBefore, "current-password");
  const after = makePassphraseField("new-passphrase", TEXTS.newPassphrase, "new-password");
  const change = async (/** @type {string} */ passphrase) => {
    if (!(await changePassphrase(desk, before.input.value, passphrase))) return;
    before.input.value = after.input.value = "";
  };
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    change(after.input.value);
  };
  const set = makeSubmit(TEXTS.setPassphrase, "lock");
  const buttons = make("div", { class: "buttons" }, set, makeButton(TEXTS.removePassphrase, null, () => change("")));
  const form = make("form", { onsubmit: submit }, before.element, after.element, buttons);
  const hint = make("p");
  /** @param {Status} status */
  const show = ({ hasPassphrase }) => {
    form.hidden = !hasPassphrase;
    hint.textContent = hasPassphrase ? TEXTS.hasPassphrase : TEXTS.hasNoPassphrase;
  };
  return { element: make("section", {}, make("h2", {}, TEXTS.passphrase), hint, form), show };
}

/**
 * @param {string} id
 * @param {string} label
 * @param {string} autocomplete
 */
function makePassphraseField(id, label, autocomplete) {
  const input = make("input", { id, type: "password", autocomplete, required: true });
  return { input, element: make("div", { class: "field" }, make("label", { for: id }, label), input) };
}

/**
 * @param {Desk} desk
 * @param {string} before
 * @param {string} after
 */
function changePassphrase(desk, before, after) {
  return desk.attempt(async () => {
    await desk.device.changePassphrase(before, after);
    desk.notices.say(after === "" ? TEXTS.passphraseRemoved : TEXTS.passphraseSet);
  });
}

/** @param {Desk} desk */
async function forgetDevice(desk) {
  const { unsent } = desk.device.status;
  if (!(await askSure(TEXTS.forgetTitle, TEXTS.forgetText(unsent), TEXTS.forgetAll))) return;
  await desk.attempt(() => desk.device.forget());
}
