/** Shows Markdown as elements: headings, paragraphs, lists, tasks, quotes, code, tables and rules. Markup in it stays text. */

import { adopt, make, makeIcon } from "./elements.js";
import { renderInline } from "./inline_markdown.js";
import { TEXTS } from "./texts.js";

/** Lists and quotes within each other, at most. */
const DEEPEST_BLOCK = 12;

/** Cells of a row of a table, at most: browsers take very long for more. */
const MOST_CELLS = 100;

const FENCE = /^ {0,3}(`{3,}|~{3,})[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?: +(.*))?$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const BULLET = /^( {0,3})(?:([-*+])|([0-9]{1,9})[.)])(?:[ \t]+|$)/;
const TASK = /^\[([ xX])\][ \t]+/;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
const CELLS = /^ {0,3}\|? {0,99}:?-+:? {0,99}(?:\| {0,99}:?-+:? {0,99})*\|? {0,99}$/;

/**
 * Return a text of Markdown as an element.
 * @param {string} text
 */
export function renderMarkdown(text) {
  const lines = text.replace(/\r\n?/g, "\n").replaceAll("\t", "    ").split("\n");
  return adopt(make("div", { class: "prose", dir: "auto" }), renderBlocks(lines, 0));
}

/**
 * @param {string[]} lines
 * @param {number} depth
 * @returns {HTMLElement[]}
 */
function renderBlocks(lines, depth) {
  /** @type {HTMLElement[]} */
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    if ((lines[at] ?? "").trim() === "") {
      at += 1;
      continue;
    }
    const [block, end] = renderBlock(lines, at, depth);
    blocks.push(block);
    at = end;
  }
  return blocks;
}

/**
 * Return the block that begins in a line, and the number of the line after it.
 * @param {string[]} lines
 * @param {number} at
 * @param {number} depth
 * @returns {[HTMLElement, number]}
 */
function renderBlock(lines, at, depth) {
  const line = lines[at] ?? "";
  const [, fence] = FENCE.exec(line) ?? [];
  if (fence !== undefined) return renderFenced(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading !== null) return [makeHeading((heading[1] ?? "").length, cutClosing(heading[2] ?? "")), at + 1];
  if (RULE.test(line)) return [make("hr"), at + 1];
  if (/^ {4}/.test(line)) return renderIndented(lines, at);
  if (depth < DEEPEST_BLOCK && QUOTE.test(line)) return renderQuote(lines, at, depth);
  if (depth < DEEPEST_BLOCK && BULLET.test(line)) return renderList(lines, at, depth);
  if (line.includes("|") && CELLS.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("-"))
    return renderTable(lines, at);
  return renderParagraph(lines, at);
}

/**
 * Return the text of a heading without the signs that close it.
 * @param {string} text
 */
function cutClosing(text) {
  const trimmed = text.trimEnd();
  let end = trimmed.length;
  while (trimmed[end - 1] === "#") end -= 1;
  return end === 0 || trimmed[end - 1] === " " ? trimmed.slice(0, end).trimEnd() : trimmed;
}

/**
 * Return a heading one level down: the name of the file is the first one of the page.
 * @param {number} level
 * @param {string} text
 */
function makeHeading(level, text) {
  const tag = /** @type {"h2" | "h3" | "h4" | "h5" | "h6"} */ (`h${Math.min(level + 1, 6)}`);
  return adopt(make(tag), renderInline(text));
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @param {string} fence
 * @returns {[HTMLElement, number]}
 */
function renderFenced(lines, at, fence) {
  let end = at + 1;
  while (end < lines.length && !isFenceEnd(lines[end] ?? "", fence)) end += 1;
  return [makeCode(lines.slice(at + 1, end)), end + 1];
}

/**
 * @param {string} line
 * @param {string} fence
 */
function isFenceEnd(line, fence) {
  const text = line.trim();
  return text.length >= fence.length && text === (fence[0] ?? "").repeat(text.length);
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @returns {[HTMLElement, number]}
 */
function renderIndented(lines, at) {
  let end = at + 1;
  while (end < lines.length && /^ {4}/.test(lines[end] ?? "")) end += 1;
  return [makeCode(lines.slice(at, end).map((line) => line.slice(4))), end];
}

/** @param {string[]} lines */
function makeCode(lines) {
  return make("pre", { tabindex: "0" }, make("code", {}, lines.join("\n")));
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @param {number} depth
 * @returns {[HTMLElement, number]}
 */
function renderQuote(lines, at, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end] ?? "")) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [adopt(make("blockquote"), renderBlocks(inner, depth + 1)), end];
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @param {number} depth
 * @returns {[HTMLElement, number]}
 */
function renderList(lines, at, depth) {
  const [, , sign, number] = BULLET.exec(lines[at] ?? "") ?? [];
  const list = number === undefined ? make("ul") : make("ol", { start: number });
  let end = at;
  for (let found = BULLET.exec(lines[end] ?? ""); found !== null; found = BULLET.exec(lines[end] ?? "")) {
    if (found[2] !== sign || RULE.test(lines[end] ?? "")) break;
    const next = findItemEnd(lines, end, found[0].length);
    const inner = [
      (lines[end] ?? "").slice(found[0].length),
      ...lines.slice(end + 1, next).map((line) => cutIndent(line, found[0].length)),
    ];
    list.append(makeListItem(inner, depth));
    end = next;
    while (end < lines.length - 1 && lines[end]?.trim() === "" && BULLET.test(lines[end + 1] ?? "")) end += 1;
  }
  return [list, end];
}

/**
 * Return the number of the line after an item: what is indented belongs to it, and what goes on in a paragraph.
 * @param {string[]} lines
 * @param {number} at
 * @param {number} indent
 */
function findItemEnd(lines, at, indent) {
  let end = at + 1;
  for (; end < lines.length; end += 1) {
    const line = lines[end] ?? "";
    if (line.trim() === "") {
      if (!startsIndented(lines[end + 1] ?? "", indent)) break;
    } else if (!startsIndented(line, indent) && (lines[end - 1]?.trim() === "" || beginsBlock(line))) break;
  }
  return end;
}

/**
 * @param {string} line
 * @param {number} indent
 */
function startsIndented(line, indent) {
  return line.trim() !== "" && line.length - line.trimStart().length >= Math.min(indent, 4);
}

/**
 * @param {string} line
 * @param {number} indent
 */
function cutIndent(line, indent) {
  return line.slice(Math.min(indent, line.length - line.trimStart().length));
}

/**
 * @param {string[]} lines
 * @param {number} depth
 */
function makeListItem(lines, depth) {
  const [, mark] = TASK.exec(lines[0] ?? "") ?? [];
  if (mark !== undefined) lines[0] = (lines[0] ?? "").replace(TASK, "");
  const blocks = renderBlocks(lines, depth + 1);
  const [only] = blocks;
  const isTight =
    only instanceof HTMLParagraphElement && blocks.slice(1).every((block) => !(block instanceof HTMLParagraphElement));
  const children = isTight ? [...only.childNodes, ...blocks.slice(1)] : blocks;
  if (mark === undefined) return make("li", {}, ...children);
  const isDone = mark !== " ";
  return make("li", { class: "task" }, makeBox(isDone), ...children);
}

/** @param {boolean} isDone */
function makeBox(isDone) {
  return make(
    "span",
    { class: "box", role: "img", "aria-label": isDone ? TEXTS.done : TEXTS.toDo },
    isDone && makeIcon("check"),
  );
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @returns {[HTMLElement, number]}
 */
function renderTable(lines, at) {
  let end = at + 2;
  while (end < lines.length && (lines[end] ?? "").includes("|")) end += 1;
  /** @param {string} line @param {"th" | "td"} tag */
  const makeRow = (line, tag) =>
    make("tr", {}, ...splitCells(line).map((cell) => adopt(make(tag), renderInline(cell))));
  const head = make("thead", {}, makeRow(lines[at] ?? "", "th"));
  const body = make("tbody", {}, ...lines.slice(at + 2, end).map((line) => makeRow(line, "td")));
  return [make("div", { class: "wide", tabindex: "0" }, make("table", {}, head, body)), end];
}

/** @param {string} line */
function splitCells(line) {
  const cells = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return cells.split(/(?<!\\)\|/, MOST_CELLS).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @returns {[HTMLElement, number]}
 */
function renderParagraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && (lines[end] ?? "").trim() !== "" && !beginsBlock(lines[end] ?? "")) {
    const [, line] = UNDERLINE.exec(lines[end] ?? "") ?? [];
    if (line !== undefined)
      return [makeHeading(line.startsWith("=") ? 1 : 2, joinLines(lines.slice(at, end))), end + 1];
    end += 1;
  }
  const [, line] = UNDERLINE.exec(lines[end] ?? "") ?? [];
  if (line !== undefined && end > at) return [makeHeading(2, joinLines(lines.slice(at, end))), end + 1];
  return [adopt(make("p"), renderInline(joinLines(lines.slice(at, end)))), end];
}

/** @param {string[]} lines */
function joinLines(lines) {
  return lines
    .map((line) => line.trimStart())
    .join("\n")
    .trimEnd();
}

/**
 * Return true if a line ends the paragraph before it.
 * @param {string} line
 */
function beginsBlock(line) {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || BULLET.test(line);
}
