// @ts-check
// One post on the board.

import { el, icon } from "./dom.js";
import { addDays, longDay, timeOfDay } from "./week.js";

/** @typedef {import("./api.js").Post} Post */
/**
 * What can be done with a card.
 * @typedef {object} CardActions
 * @property {(post: Post) => void} edit
 * @property {(post: Post) => void} askWhere
 * @property {(post: Post, day: Date) => Promise<void>} move
 */

/**
 * @param {Post} post
 * @param {string} handle
 * @param {CardActions} actions
 */
export function card(post, handle, actions) {
  const time = new Date(post.scheduled_at);
  const open = el(
    "button",
    { type: "button", class: "card-open", "aria-haspopup": "dialog", "aria-keyshortcuts": "m Shift+ArrowLeft Shift+ArrowRight" },
    el(
      "span",
      { class: "card-head" },
      el("time", { datetime: post.scheduled_at }, timeOfDay(time)),
      post.status !== "scheduled" && el("span", { class: "pill" }, post.status),
    ),
    el("span", { class: "card-text" }, post.content),
    el("span", { class: "card-handle" }, handle),
  );
  open.addEventListener("click", () => actions.edit(post));
  open.addEventListener("keydown", (event) => {
    const action = shortcut(event, post, time, actions);
    if (!action) return;
    event.preventDefault();
    action();
  });
  const label = `Move the post of ${timeOfDay(time)}, ${longDay(time)}, to another day`;
  const where = el("button", { type: "button", class: "card-move", "aria-haspopup": "dialog", "aria-label": label, title: "Move to…" }, icon("move"));
  where.addEventListener("click", () => actions.askWhere(post));
  return el("li", { class: "card", "data-post": post.id, "data-status": post.status }, open, where);
}

/**
 * @param {KeyboardEvent} event
 * @param {Post} post
 * @param {Date} time
 * @param {CardActions} actions
 * @returns {(() => void) | null}
 */
function shortcut(event, post, time, actions) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  if (event.key === "m" || event.key === "M") return () => actions.askWhere(post);
  if (!event.shiftKey) return null;
  if (event.key === "ArrowLeft") return () => void actions.move(post, addDays(time, -1));
  if (event.key === "ArrowRight") return () => void actions.move(post, addDays(time, 1));
  return null;
}
