// @ts-check
// The dialog that asks to which day a post goes.

import { at, el } from "./dom.js";
import { addDays, fromDay, longDay, startOfWeek, toDay, weekday } from "./week.js";

/** @typedef {import("./api.js").Post} Post */

export class MoveDialog {
  #dialog = /** @type {HTMLDialogElement} */ (at("move"));
  #date = /** @type {HTMLInputElement} */ (at("move-date"));
  #move;
  /** @type {Post | null} */
  #post = null;

  /** @param {(post: Post, day: Date) => void} move */
  constructor(move) {
    this.#move = move;
    at("move-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const day = fromDay(this.#date.value);
      if (day) this.#choose(day);
    });
    at("move-close").addEventListener("click", () => this.#dialog.close());
  }

  /** @param {Post} post */
  ask(post) {
    this.#post = post;
    const time = new Date(post.scheduled_at);
    const monday = startOfWeek(time);
    this.#date.value = toDay(time);
    const days = Array.from({ length: 7 }, (_, n) => addDays(monday, n));
    at("move-days").replaceChildren(...days.map((day) => this.#button(day, toDay(time))));
    this.#dialog.showModal();
    const current = at("move-days").querySelector("[aria-current]");
    if (current instanceof HTMLElement) current.focus();
  }

  close() {
    this.#dialog.close();
  }

  /** @param {Date} day @param {string} current */
  #button(day, current) {
    const isCurrent = toDay(day) === current;
    const button = el(
      "button",
      { type: "button", "aria-current": isCurrent ? "date" : null },
      el("span", { class: "visually-hidden" }, longDay(day)),
      el("span", { class: "weekday", "aria-hidden": true }, weekday(day)),
      el("span", { class: "number", "aria-hidden": true }, String(day.getDate())),
    );
    button.addEventListener("click", () => this.#choose(day));
    return button;
  }

  /** @param {Date} day */
  #choose(day) {
    this.#dialog.close();
    if (this.#post) this.#move(this.#post, day);
  }
}
