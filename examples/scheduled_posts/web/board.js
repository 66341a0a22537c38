// @ts-check
// The days of a view and their posts. Draws what it is given; asks nobody.

import { card } from "./card.js";
import { el, icon } from "./dom.js";
import { daysOf, longDay, startOfDay, toDay, weekday } from "./week.js";

/** @typedef {import("./api.js").Post} Post */
/**
 * @typedef {object} BoardState
 * @property {import("./week.js").View} view
 * @property {Date} day
 * @property {Post[]} posts
 * @property {Map<string, string>} handles By the account's id.
 *
 * @typedef {import("./card.js").CardActions & { write: (day: Date) => void }} BoardActions
 */

/**
 * @param {HTMLElement} board
 * @param {BoardState} state
 * @param {BoardActions} actions
 */
export function drawBoard(board, { view, day, posts, handles }, actions) {
  /** @type {Map<string, Post[]>} */
  const byDay = new Map();
  for (const post of posts) {
    const key = toDay(new Date(post.scheduled_at));
    byDay.set(key, [...(byDay.get(key) ?? []), post]);
  }
  const days = view === "list" ? posts.map((post) => startOfDay(new Date(post.scheduled_at))) : daysOf(view, day);
  const drawn = new Map(days.map((date) => [toDay(date), date]));
  board.dataset.view = view;
  board.replaceChildren(
    ...[...drawn].map(([key, date]) => {
      const cards = (byDay.get(key) ?? []).map((post) => card(post, handles.get(post.x_account_id) ?? "", actions));
      return section(key, date, cards, actions);
    }),
  );
}

/** Shapes where posts will be. @param {HTMLElement} board @param {import("./week.js").View} view @param {Date} day */
export function drawLoading(board, view, day) {
  board.dataset.view = view;
  const days = view === "list" ? daysOf("week", day).slice(0, 3) : daysOf(view, day);
  board.replaceChildren(
    ...days.map((date, n) =>
      el(
        "section",
        { class: "day", "aria-hidden": true },
        el("div", { class: "day-head" }, heading(date)),
        el("div", { class: "cards" }, el("div", { class: "ghost" }), n % 3 === 0 && el("div", { class: "ghost short" })),
      ),
    ),
  );
}

/** @param {HTMLElement} board @param {string} id */
export function focusCard(board, id) {
  const open = board.querySelector(`[data-post="${CSS.escape(id)}"] .card-open`);
  if (open instanceof HTMLElement) open.focus();
}

/**
 * @param {string} key
 * @param {Date} date
 * @param {HTMLElement[]} cards
 * @param {BoardActions} actions
 */
function section(key, date, cards, actions) {
  const add = el("button", { type: "button", class: "day-add", "aria-label": `New post on ${longDay(date)}`, title: "New post" }, icon("plus"));
  add.addEventListener("click", () => actions.write(date));
  const today = key === toDay(new Date());
  const head = el("div", { class: "day-head" }, heading(date), add);
  const list = cards.length ? el("ul", { class: "cards" }, ...cards) : el("p", { class: "nothing" }, "Nothing planned");
  return el("section", { class: today ? "day today" : "day", "data-day": key, "aria-labelledby": `day-${key}` }, head, list);
}

/** Read out in full, shown in short. @param {Date} date */
function heading(date) {
  return el(
    "h2",
    { id: `day-${toDay(date)}` },
    el("span", { class: "visually-hidden" }, longDay(date)),
    el("span", { class: "weekday", "aria-hidden": true }, weekday(date)),
    el("span", { class: "number", "aria-hidden": true }, String(date.getDate())),
    el("span", { class: "full", "aria-hidden": true }, longDay(date)),
  );
}
