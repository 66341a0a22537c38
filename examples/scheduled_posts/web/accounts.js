// @ts-check
// The dialog with the user's X accounts.

import { at, busy, el } from "./dom.js";
import { inOneLine } from "./notice.js";

/** @typedef {import("./api.js").Account} Account */
/**
 * @typedef {object} AccountEvents
 * @property {(account: Account) => void} added
 * @property {(account: Account) => void} removed
 * @property {(error: unknown) => boolean} fatal Whether the whole page has to deal with it.
 */

export class AccountsDialog {
  #api;
  #events;
  #dialog = /** @type {HTMLDialogElement} */ (at("accounts"));
  #handle = /** @type {HTMLInputElement} */ (at("handle"));

  /**
   * @param {import("./api.js").ApiClient} api
   * @param {AccountEvents} events
   */
  constructor(api, events) {
    this.#api = api;
    this.#events = events;
    at("accounts-close").addEventListener("click", () => this.#dialog.close());
    at("accounts-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#attempt(/** @type {HTMLButtonElement} */ (at("accounts-add")), async () => {
        const account = await this.#api.addAccount(this.#handle.value.trim());
        this.#handle.value = "";
        this.#events.added(account);
      });
    });
  }

  /** @param {Account[]} accounts */
  open(accounts) {
    this.#problem("");
    this.draw(accounts);
    this.#dialog.showModal();
    this.#handle.focus();
  }

  close() {
    this.#dialog.close();
  }

  /** @param {Account[]} accounts */
  draw(accounts) {
    at("accounts-list").replaceChildren(...accounts.map((account) => this.#item(account)));
    at("accounts-none").hidden = accounts.length > 0;
  }

  /** @param {Account} account */
  #item(account) {
    const remove = el("button", { type: "button", class: "danger quiet", "aria-label": `Remove ${account.handle}` }, "Remove");
    let sure = false;
    const calm = () => {
      sure = false;
      remove.textContent = "Remove";
      remove.setAttribute("aria-label", `Remove ${account.handle}`);
    };
    remove.addEventListener("blur", calm);
    remove.addEventListener("click", () => {
      if (!sure) {
        sure = true;
        remove.textContent = "With its posts?";
        remove.setAttribute("aria-label", `Really remove ${account.handle} and its posts?`);
        return;
      }
      void this.#attempt(remove, async () => {
        await this.#api.removeAccount(account.id);
        this.#events.removed(account);
        this.#handle.focus();
      });
    });
    return el("li", {}, el("span", { class: "handle" }, account.handle), remove);
  }

  /** @param {HTMLButtonElement} button @param {() => Promise<void>} action */
  async #attempt(button, action) {
    this.#problem("");
    try {
      await busy(button, action);
    } catch (error) {
      if (!this.#events.fatal(error)) this.#problem(inOneLine(error));
    }
  }

  /** @param {string} text */
  #problem(text) {
    at("accounts-problem").textContent = text;
  }
}
