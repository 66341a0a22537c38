// @ts-check
// Days and weeks in the viewer's time zone. Nothing of the page: dates in, dates and texts out.

/** @typedef {"week" | "day" | "list"} View */

/** The day's first moment. @param {Date} date */
export function startOfDay(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}

/** By the calendar: a day may have 23 or 25 hours. @param {Date} date @param {number} days */
export function addDays(date, days) {
  const moved = new Date(date);
  moved.setDate(moved.getDate() + days);
  return moved;
}

/** Weeks begin on Monday, as in ISO 8601. @param {Date} date */
export function startOfWeek(date) {
  return addDays(startOfDay(date), -((date.getDay() + 6) % 7));
}

/** The days that a view shows one by one. @param {View} view @param {Date} day */
export function daysOf(view, day) {
  if (view === "day") return [startOfDay(day)];
  const monday = startOfWeek(day);
  return Array.from({ length: 7 }, (_, n) => addDays(monday, n));
}

/**
 * The first and the last moment that a view shows; a list has no last one.
 * @param {View} view
 * @param {Date} day
 * @returns {{ start: Date, end?: Date }}
 */
export function rangeOf(view, day) {
  if (view === "list") return { start: startOfDay(day) };
  const days = daysOf(view, day);
  return { start: days[0], end: new Date(addDays(days[days.length - 1], 1).getTime() - 1) };
}

/** What a step back or forth is. @param {View} view @param {Date} day @param {number} steps */
export function step(view, day, steps) {
  return addDays(day, view === "day" ? steps : 7 * steps);
}

/** The same time of day on another day. @param {Date} time @param {Date} day */
export function onDay(time, day) {
  const moved = new Date(time);
  moved.setFullYear(day.getFullYear(), day.getMonth(), day.getDate());
  return moved;
}

/** `2027-01-31`, as a date field has it. @param {Date} date */
export function toDay(date) {
  return `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The first moment of `2027-01-31`, or null. @param {string | null} text */
export function fromDay(text) {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text ?? "");
  if (!parts) return null;
  const date = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]));
  return toDay(date) === text ? date : null;
}

/** `2027-01-31T09:00`, as a field for date and time has it. @param {Date} date */
export function toField(date) {
  return `${toDay(date)}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The next full hour. @param {Date} now */
export function nextHour(now) {
  const hour = new Date(now);
  hour.setHours(hour.getHours() + 1, 0, 0, 0);
  return hour;
}

/** What stands above a view. @param {View} view @param {Date} day */
export function titleOf(view, day) {
  if (view === "day") return longDay(day);
  if (view === "list") return `From ${longDay(day)}`;
  const days = daysOf(view, day);
  return WEEK.formatRange(days[0], days[6]);
}

/** @param {Date} date */
export const longDay = (date) => LONG_DAY.format(date);
/** @param {Date} date */
export const weekday = (date) => WEEKDAY.format(date);
/** @param {Date} date */
export const timeOfDay = (date) => TIME.format(date);

/** The viewer's time zone, `Europe/Berlin`. */
export const timeZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** @param {number} n */
const two = (n) => String(n).padStart(2, "0");

const WEEK = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const LONG_DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const WEEKDAY = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
