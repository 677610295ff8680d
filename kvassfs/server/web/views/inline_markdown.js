/** What stands within a line of Markdown, as nodes. Nothing of it is markup, no address but of the web and of mail is a link. */

import { adopt, make } from "./elements.js";

/** @import { Child } from "./elements.js" */

/** What a link may lead to: nothing that runs, or is of this page. */
const SAFE_LINK = /^(?:https?:\/\/|mailto:)[^\s\p{Cc}]+$/iu;

/** Elements within elements, at most. */
const DEEPEST = 8;

/** Characters that one element has at most, so that a text cannot have the page look for its end for ever. */
const LONGEST_SPAN = 1000;

/** Each kind of span, from where it begins; the first that fits is taken. */
const SPANS = [
  { kind: "escape", form: /\\([!-/:-@[-`{-~])/y },
  { kind: "break", form: /(?<! )(?: {2,99}|\\)\n/y },
  { kind: "code", form: new RegExp(`(\`{1,9})(?!\`)([^]{1,${LONGEST_SPAN}}?)(?<!\`)\\1(?!\`)`, "y") },
  {
    kind: "link",
    form: new RegExp(
      `(!?)\\[([^\\]\\n]{0,${LONGEST_SPAN}})\\]\\(\\s{0,9}<?([^()\\s<>]{0,${LONGEST_SPAN}})>?(?:\\s{1,9}"[^"\\n]{0,200}")?\\s{0,9}\\)`,
      "y",
    ),
  },
  { kind: "address", form: new RegExp(`<((?:https?://|mailto:)[^\\s<>]{1,${LONGEST_SPAN}})>`, "iy") },
  { kind: "bare", form: new RegExp(`(?<![\\w/])https?://[^\\s<>"]{0,${LONGEST_SPAN}}[\\w/#=&]`, "iy") },
  { kind: "strong", form: new RegExp(`(\\*\\*|__)(?=\\S)([^]{1,${LONGEST_SPAN}}?)(?<=\\S)\\1(?![*_])`, "y") },
  { kind: "em", form: new RegExp(`(\\*)(?=[^\\s*])([^*]{1,${LONGEST_SPAN}}?)(?<=\\S)\\*(?!\\*)`, "y") },
  { kind: "em", form: new RegExp(`(?<!\\w)(_)(?=[^\\s_])([^_]{1,${LONGEST_SPAN}}?)(?<=\\S)_(?!\\w)`, "y") },
  { kind: "del", form: new RegExp(`(~~)(?=\\S)([^~]{1,${LONGEST_SPAN}}?)(?<=\\S)~~`, "y") },
];

/** Where a span may begin. */
const BEGINS = /[\\`![<*_~h \n]/gi;

/**
 * Return the nodes of a line, or of several.
 * @param {string} text
 * @param {number} [depth]
 * @returns {Child[]}
 */
export function renderInline(text, depth = 0) {
  /** @type {Child[]} */
  const nodes = [];
  let plain = 0;
  for (let at = findBegin(text, 0); at >= 0;) {
    const span = depth < DEEPEST ? findSpan(text, at) : null;
    if (span === null) {
      at = findBegin(text, at + 1);
      continue;
    }
    nodes.push(text.slice(plain, at), makeSpan(span.kind, span.found, depth));
    plain = at + span.found[0].length;
    at = findBegin(text, plain);
  }
  nodes.push(text.slice(plain));
  return nodes;
}

/**
 * @param {string} text
 * @param {number} from
 */
function findBegin(text, from) {
  BEGINS.lastIndex = from;
  return BEGINS.exec(text)?.index ?? -1;
}

/**
 * @param {string} text
 * @param {number} at
 */
function findSpan(text, at) {
  for (const { kind, form } of SPANS) {
    form.lastIndex = at;
    const found = form.exec(text);
    if (found !== null) return { kind, found };
  }
  return null;
}

/**
 * @param {string} kind
 * @param {RegExpExecArray} found
 * @param {number} depth
 * @returns {Child}
 */
function makeSpan(kind, found, depth) {
  const [whole, first = "", second = "", third = ""] = found;
  if (kind === "escape") return first;
  if (kind === "break") return make("br");
  if (kind === "code") return make("code", {}, second.replaceAll("\n", " ").replace(/^ (.*\S.*) $/, "$1"));
  if (kind === "link")
    return makeWebLink(third, first === "!" ? [`🖼 ${second || third}`] : renderInline(second, depth + 1));
  if (kind === "address") return makeWebLink(first, [first.replace(/^mailto:/i, "")]);
  if (kind === "bare") return makeWebLink(whole, [whole]);
  return adopt(make(kind === "strong" ? "strong" : kind === "em" ? "em" : "del"), renderInline(second, depth + 1));
}

/**
 * Return a link that opens beside this page, and does not tell where it was; what it says alone, if it leads elsewhere.
 * @param {string} address
 * @param {Child[]} children
 */
function makeWebLink(address, children) {
  if (!SAFE_LINK.test(address)) return adopt(make("span"), children);
  return adopt(make("a", { href: address, target: "_blank", rel: "noopener noreferrer", title: address }), children);
}
