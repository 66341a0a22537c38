// @ts-check
// The dialog in which a post is written, changed or deleted.

import { MOST_CHARACTERS, countCharacters } from "./api.js";
import { at, busy, el } from "./dom.js";
import { letIdeasBeAskedFor } from "./ideas.js";
import { inOneLine } from "./notice.js";
import { toField } from "./week.js";

/** @typedef {import("./api.js").Post} Post */
/**
 * @typedef {object} EditorEvents
 * @property {(post: Post, isNew: boolean) => void} saved
 * @property {(post: Post) => void} deleted
 * @property {(error: unknown) => boolean} fatal Whether the whole page has to deal with it.
 */

export class Editor {
  #api;
  #events;
  /** @type {Post | null} */
  #post = null;
  #dialog = /** @type {HTMLDialogElement} */ (at("editor"));
  #form = /** @type {HTMLFormElement} */ (at("editor-form"));
  #content = /** @type {HTMLTextAreaElement} */ (at("content"));
  #account = /** @type {HTMLSelectElement} */ (at("account"));
  #when = /** @type {HTMLInputElement} */ (at("when"));
  #status = /** @type {HTMLSelectElement} */ (at("status"));
  #delete = /** @type {HTMLButtonElement} */ (at("delete"));

  /**
   * @param {import("./api.js").ApiClient} api
   * @param {EditorEvents} events
   */
  constructor(api, events) {
    this.#api = api;
    this.#events = events;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#attempt(/** @type {HTMLButtonElement} */ (at("save")), () => this.#save());
    });
    this.#content.addEventListener("input", () => this.#count());
    this.#delete.addEventListener("click", () => this.#askOrDelete());
    this.#delete.addEventListener("blur", () => this.#calm());
    at("editor-close").addEventListener("click", () => this.#dialog.close());
    at("cancel").addEventListener("click", () => this.#dialog.close());
    letIdeasBeAskedFor(api, this.#events.fatal, (text) => {
      this.#content.value = text;
      this.#count();
      this.#content.focus();
    });
  }

  /** A new post. @param {Date} when @param {import("./api.js").Account[]} accounts */
  write(when, accounts) {
    this.#open(null, accounts);
    this.#when.value = toField(when);
    this.#content.value = "";
    this.#count();
    this.#content.focus();
  }

  /** @param {Post} post @param {import("./api.js").Account[]} accounts */
  edit(post, accounts) {
    this.#open(post, accounts);
    this.#content.value = post.content;
    this.#account.value = post.x_account_id;
    this.#when.value = toField(new Date(post.scheduled_at));
    this.#showStatus(post.status);
    this.#count();
    this.#content.focus();
  }

  close() {
    this.#dialog.close();
  }

  /** @param {Post | null} post @param {import("./api.js").Account[]} accounts */
  #open(post, accounts) {
    this.#post = post;
    const isNew = post === null;
    at("editor-title").textContent = isNew ? "New post" : "Edit post";
    at("save").textContent = isNew ? "Schedule" : "Save";
    at("status-field").hidden = isNew;
    this.#delete.hidden = isNew;
    // The server leaves a post with the account that it was written for.
    this.#account.disabled = !isNew;
    const last = this.#account.value;
    this.#account.replaceChildren(...accounts.map(({ id, handle }) => el("option", { value: id }, handle)));
    if (accounts.some(({ id }) => id === last)) this.#account.value = last;
    this.#problem("");
    this.#calm();
    this.#dialog.showModal();
  }

  async #save() {
    const content = this.#content.value;
    const when = new Date(this.#when.value);
    const post = this.#post;
    if (!post) {
      const body = { x_account_id: this.#account.value, content, scheduled_at: when.toISOString() };
      this.#done(await this.#api.createPost(body), true);
      return;
    }
    /** @type {import("./api.js").PostChange} */
    const change = {};
    if (content !== post.content) change.content = content;
    // The field has no seconds: a time that nobody touched keeps its own.
    if (this.#when.value !== toField(new Date(post.scheduled_at))) change.scheduled_at = when.toISOString();
    const status = this.#status.value;
    if (status !== post.status) change.status = /** @type {import("./api.js").PostStatus} */ (status);
    this.#done(await this.#api.changePost(post.id, change), false);
  }

  /** @param {Post} post @param {boolean} isNew */
  #done(post, isNew) {
    this.#dialog.close();
    this.#events.saved(post, isNew);
  }

  #askOrDelete() {
    const post = this.#post;
    if (!post) return;
    if (this.#delete.dataset.sure !== "ask") {
      this.#delete.dataset.sure = "ask";
      this.#delete.textContent = "Delete for good?";
      return;
    }
    void this.#attempt(this.#delete, async () => {
      await this.#api.removePost(post.id);
      this.#dialog.close();
      this.#events.deleted(post);
    });
  }

  #calm() {
    delete this.#delete.dataset.sure;
    this.#delete.textContent = "Delete";
  }

  /** @param {HTMLButtonElement} button @param {() => Promise<void>} action */
  async #attempt(button, action) {
    this.#problem("");
    try {
      await busy(button, action);
    } catch (error) {
      if (this.#events.fatal(error)) return;
      this.#problem(inOneLine(error));
      this.#calm();
    }
  }

  /** @param {string} text */
  #problem(text) {
    at("editor-problem").textContent = text;
  }

  /** @param {string} status */
  #showStatus(status) {
    const known = [...this.#status.options].some(({ value }) => value === status);
    // One that only the server sets: shown, and kept unless another is chosen.
    if (!known) this.#status.append(el("option", { value: status }, status));
    this.#status.value = status;
  }

  #count() {
    const length = countCharacters(this.#content.value);
    const left = MOST_CHARACTERS - length;
    const count = at("count");
    count.textContent = left < 0 ? `${-left} too many` : `${left} left`;
    count.classList.toggle("over", left < 0);
    this.#content.setCustomValidity(left < 0 ? `A post has at most ${MOST_CHARACTERS} characters.` : "");
  }
}
