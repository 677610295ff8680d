/** The code that a person types: kvassfs/pairing/code.py. */

import { InvalidCode } from "./errors.js";
import { CODE_WORDS } from "./words.js";

/**
 * A code: the number of the mailbox, and all of it as it is agreed on.
 * @typedef {{ number: number, text: string }} Code
 */

const LARGEST_NUMBER = 99;

/** The letters by which a word is told from all others. */
const TELLING_LETTERS = 3;

/** Characters that are shown of what was typed. */
const SHOWN_LETTERS = 20;

/**
 * Return the code that was typed, whatever stands between its parts, in capitals or not.
 *
 * Throws InvalidCode if it can be none, as far as that is told without trying it.
 * @param {string} typed
 * @returns {Code}
 */
export function parseCode(typed) {
  const parts = typed.trim().toLowerCase().split(/[\s_.,-]+/);
  if (parts.length !== 3 || parts.includes("")) throw new InvalidCode("this is none");
  const [first, ...words] = parts;
  const number = /^[0-9]{1,2}$/.test(first ?? "") ? Number(first) : 0;
  if (number < 1) throw new InvalidCode(`its number is 1 to ${LARGEST_NUMBER}`);
  words.forEach(checkWord);
  return { number, text: `${number}-${words.join("-")}` };
}

/** @param {string} word */
function checkWord(word) {
  if (CODE_WORDS.includes(word)) return;
  const near = CODE_WORDS.find((each) => each.startsWith(word.slice(0, TELLING_LETTERS)));
  throw new InvalidCode(`“${word.slice(0, SHOWN_LETTERS)}” is none of its words${near ? `; is it ${near}?` : ""}`);
}
