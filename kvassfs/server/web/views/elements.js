/** Makes elements: text is never markup here, and styles are classes, as the policy of the page wants it. */

/**
 * What an element may have inside it.
 * @typedef {Node | string | null | false | undefined} Child
 */

/**
 * What becomes of an element: functions are listeners of the event that the name has after `on`, `true` is an empty attribute, and
 * `false` or `null` none.
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => unknown)>} Properties
 */

/**
 * Return a new element.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Properties} [properties]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) setProperty(element, name, value);
  element.append(...children.filter(isChild));
  return element;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {Properties[string]} value
 */
function setProperty(element, name, value) {
  if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
}

/**
 * @param {Child} child
 * @returns {child is Node | string}
 */
function isChild(child) {
  return child !== null && child !== false && child !== undefined;
}

/**
 * Give an element further children, more than one call could have arguments.
 * @template {Element} T
 * @param {T} element
 * @param {Child[]} children
 */
export function adopt(element, children) {
  for (const child of children) if (isChild(child)) element.append(child);
  return element;
}

/**
 * Give an element other children.
 * @param {Element} element
 * @param {Child[]} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter(isChild));
}

/**
 * Return a button with a text, and an icon before it.
 * @param {string} label
 * @param {string | null} icon
 * @param {(event: MouseEvent) => unknown} press
 * @param {Properties} [properties]
 */
export function makeButton(label, icon, press, properties = {}) {
  return make(
    "button",
    { type: "button", onclick: press, ...properties },
    icon !== null && makeIcon(icon),
    make("span", {}, label),
  );
}

/**
 * Return the button that sends a form off.
 * @param {string} label
 * @param {string | null} icon
 */
export function makeSubmit(label, icon) {
  return makeButton(label, icon, () => undefined, { type: "submit", class: "main" });
}

/**
 * Return a button that is an icon; the label is read out, and shown to who waits over it.
 * @param {string} label
 * @param {string} icon
 * @param {(event: MouseEvent) => unknown} press
 * @param {Properties} [properties]
 */
export function makeIconButton(label, icon, press, properties = {}) {
  return make(
    "button",
    { type: "button", class: "quiet round", "aria-label": label, title: label, onclick: press, ...properties },
    makeIcon(icon),
  );
}

/**
 * Return a link with a text, and an icon before it.
 * @param {string} label
 * @param {string | null} icon
 * @param {string} address
 * @param {Properties} [properties]
 */
export function makeLink(label, icon, address, properties = {}) {
  return make("a", { href: address, ...properties }, icon !== null && makeIcon(icon), make("span", {}, label));
}

/** The lines of each icon, in a square of 24. @type {Record<string, string>} */
const ICON_LINES = {
  back: "M15 5l-7 7 7 7",
  camera: "M4 8h4l2-3h4l2 3h4v11H4zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 8v4.5l3 2",
  close: "M6 6l12 12M18 6L6 18",
  code: "M8.5 7L3.5 12l5 5M15.5 7l5 5-5 5",
  copy: "M9 9h10v11H9zM15 9V5H5v10h4",
  dots: "M4.6 12h.8M11.6 12h.8M18.6 12h.8",
  edit: "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
  file: "M6 3.5h8l4.5 4.5v12.5H6zM14 3.5V8h4.5",
  film: "M4 5.5h16v13H4zM8 5.5v13M16 5.5v13M4 12h16",
  folder: "M3.5 6h6l2 2.5h9V19h-17z",
  image: "M4 5h16v14H4zM4 16l4.5-4.5L13 16l3-3 4 4M15.5 9h.01",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4.2 4.2 0 0 0-6-6l-1.5 1.5M14 10a4 4 0 0 0-6-.5l-3 3a4.2 4.2 0 0 0 6 6l1.5-1.5",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  move: "M4 7h6l2 2h8v9H4zM9 13.5h6M13 11l2.5 2.5L13 16",
  music: "M9 17.5V6l10-2v11.5M9 17.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0M19 15.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0",
  note: "M6 3.5h8l4.5 4.5v12.5H6zM14 3.5V8h4.5M9 12h6M9 15.5h6",
  plus: "M12 5v14M5 12h14",
  save: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5L20 20",
  share: "M12 15V4M8 7.5L12 3.5l4 4M7 11H5v9h14v-9h-2",
  sync: "M19 9a7.5 7.5 0 0 0-14-1M5 4v4h4M5 15a7.5 7.5 0 0 0 14 1M19 20v-4h-4",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l1 13h8l1-13",
  undo: "M5 9h9a5 5 0 0 1 0 10H8M9 5L5 9l4 4",
  upload: "M12 16V5M7.5 9.5L12 5l4.5 4.5M5 20h14",
  warning: "M12 4l9 16H3zM12 10v4.5M12 17h.01",
};

/**
 * Return an icon, which is silent for who does not see it.
 * @param {string} name
 */
export function makeIcon(name) {
  const space = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", ICON_LINES[name] ?? "");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("class", "icon");
  icon.setAttribute("aria-hidden", "true");
  icon.append(line);
  return icon;
}
