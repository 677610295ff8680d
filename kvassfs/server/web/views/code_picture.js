/** A QR code as a picture of the page: dark on light in both themes, as cameras want it. */

import { encode } from "../vendor/uqr.js";

/** Modules of light around a code: ISO/IEC 18004, section 6.3.8. */
const QUIET = 4;

const SVG_NAMES = "http://www.w3.org/2000/svg";

/**
 * Return the picture of a text as a QR code.
 * @param {string} text
 * @param {string} label what it is, for who does not see it
 */
export function makeCodePicture(text, label) {
  const { data, size } = encode(text, { ecc: "M", border: QUIET });
  const picture = document.createElementNS(SVG_NAMES, "svg");
  picture.setAttribute("viewBox", `0 0 ${size} ${size}`);
  picture.setAttribute("class", "code");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", label);
  const path = document.createElementNS(SVG_NAMES, "path");
  path.setAttribute("d", drawModules(data));
  picture.append(path);
  return picture;
}

/**
 * Return the path of all dark modules: a line for each run of them.
 * @param {boolean[][]} rows
 */
function drawModules(rows) {
  let path = "";
  for (const [y, row] of rows.entries()) {
    for (let x = 0; x < row.length; x += 1) {
      if (!row[x]) continue;
      let end = x;
      while (row[end]) end += 1;
      path += `M${x} ${y}h${end - x}v1h${x - end}z`;
      x = end;
    }
  }
  return path;
}
