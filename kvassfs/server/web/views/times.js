/** Says when something was. */

const CLOCK_FORM = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY_FORM = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const DATE_FORM = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const WHOLE_FORM = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/**
 * Return a time as short as it can be told apart: the clock for today, the day for this year.
 * @param {number} when milliseconds since the epoch
 * @param {number} [now]
 */
export function formatWhen(when, now = Date.now()) {
  const [then, today] = [new Date(when), new Date(now)];
  if (Number.isNaN(then.getTime())) return "";
  if (then.toDateString() === today.toDateString()) return CLOCK_FORM.format(then);
  return (then.getFullYear() === today.getFullYear() ? DAY_FORM : DATE_FORM).format(then);
}

/**
 * Return a time with its day.
 * @param {number} when milliseconds since the epoch
 */
export function formatTime(when) {
  const then = new Date(when);
  return Number.isNaN(then.getTime()) ? "" : WHOLE_FORM.format(then);
}
