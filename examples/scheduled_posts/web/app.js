// @ts-check
// The page put together: what it knows, what it loads, and what each action does.

import { AccountsDialog } from "./accounts.js";
import { ApiClient, ApiError } from "./api.js";
import { findAuth } from "./auth.js";
import { drawBoard, drawLoading, focusCard } from "./board.js";
import { at } from "./dom.js";
import { letCardsBeDragged } from "./drag.js";
import { Editor } from "./editor.js";
import { watch } from "./happened.js";
import { MoveDialog } from "./move.js";
import { Notice, describe, inOneLine, say } from "./notice.js";
import { fromDay, longDay, nextHour, onDay, rangeOf, startOfDay, step, timeOfDay, timeZone, titleOf, toDay } from "./week.js";

/** @typedef {import("./api.js").Post} Post */
/** @typedef {import("./week.js").View} View */

class Page {
  #auth;
  #dev;
  #api;
  #notice = new Notice();
  #editor;
  #accountsDialog;
  #moveDialog;
  /** @type {{ view: View, day: Date, posts: Post[], accounts: import("./api.js").Account[], cursor: string | null }} */
  #state = { ...readAddress(), posts: [], accounts: [], cursor: null };
  /** Loads are numbered: the answer to an earlier one than the last is too late. */
  #loads = 0;
  #loaded = false;

  /**
   * @param {import("./auth.js").Auth} auth
   * @param {import("./auth-dev.js").DevAuth | null} dev
   */
  constructor(auth, dev) {
    this.#auth = auth;
    this.#dev = dev;
    this.#api = new ApiClient(auth);
    /** @param {unknown} error */
    const fatal = (error) => this.#endIfOver(error);
    this.#editor = new Editor(this.#api, {
      fatal,
      saved: (post, isNew) => this.#saved(post, isNew ? "Post scheduled." : "Post saved."),
      deleted: (post) => {
        this.#state.posts = this.#state.posts.filter(({ id }) => id !== post.id);
        this.#draw();
        at("new-post").focus();
        say("Post deleted.");
      },
    });
    this.#moveDialog = new MoveDialog((post, day) => void this.#move(post, day));
    this.#accountsDialog = new AccountsDialog(this.#api, {
      fatal,
      added: (account) => this.#changeAccounts([...this.#state.accounts, account], "Account added."),
      removed: (account) => {
        this.#state.posts = this.#state.posts.filter((post) => post.x_account_id !== account.id);
        this.#changeAccounts(this.#state.accounts.filter(({ id }) => id !== account.id), "Account removed.");
      },
    });
    this.#listen();
  }

  start() {
    if (!this.#auth.signedIn) return this.#showSignedOut("");
    at("signed-in").hidden = false;
    at("who").hidden = false;
    at("who-name").textContent = this.#auth.label ?? "";
    this.#drawBar();
    void this.#load();
    this.#watchSigningUp();
  }

  #listen() {
    at("sign-in").addEventListener("click", () => void this.#auth.signIn());
    at("switch-user").addEventListener("click", () => void this.#auth.signIn());
    at("sign-out").addEventListener("click", async () => {
      await this.#auth.signOut();
      this.#showSignedOut("");
      say("Signed out.");
    });
    // What is on the page is somebody else's from now on.
    this.#auth.onChange(() => location.reload());
    at("open-accounts").addEventListener("click", () => this.#accountsDialog.open(this.#state.accounts));
    at("new-post").addEventListener("click", () => this.#write(this.#state.day));
    at("back").addEventListener("click", () => this.#go(step(this.#state.view, this.#state.day, -1)));
    at("forth").addEventListener("click", () => this.#go(step(this.#state.view, this.#state.day, 1)));
    at("today").addEventListener("click", () => this.#go(startOfDay(new Date())));
    at("more").addEventListener("click", () => void this.#load({ more: true }));
    for (const button of at("views").querySelectorAll("button")) {
      button.addEventListener("click", () => this.#go(this.#state.day, /** @type {View} */ (button.dataset.view)));
    }
    letCardsBeDragged(at("board"), (id, day) => {
      const post = this.#state.posts.find((post) => post.id === id);
      const date = fromDay(day);
      if (post && date) void this.#move(post, date);
    });
  }

  // --- loading ------------------------------------------------------------------------------------

  /** @param {{ more?: boolean }} [options] */
  async #load({ more = false } = {}) {
    const load = (this.#loads += 1);
    const { view, day, cursor } = this.#state;
    if (!more && !this.#loaded) drawLoading(at("board"), view, day);
    at("area").setAttribute("aria-busy", "true");
    try {
      const [accounts, page] = await Promise.all([this.#api.accounts(), this.#fetchPosts(view, day, more ? cursor : null)]);
      if (load !== this.#loads) return;
      const posts = more ? [...this.#state.posts, ...page.posts] : page.posts;
      Object.assign(this.#state, { accounts, posts, cursor: page.next_cursor });
      this.#loaded = true;
      // The button that has the focus may be about to go.
      if (at("notice").contains(document.activeElement)) at("new-post").focus();
      this.#notice.clear();
      this.#draw();
    } catch (error) {
      if (load === this.#loads && !this.#endIfOver(error)) this.#showTrouble(error, more);
    } finally {
      if (load === this.#loads) at("area").removeAttribute("aria-busy");
    }
  }

  /** @param {View} view @param {Date} day @param {string | null} cursor */
  async #fetchPosts(view, day, cursor) {
    const range = rangeOf(view, day);
    if (view === "list") return this.#api.posts({ ...range, cursor, limit: LIST_PAGE });
    return { posts: await this.#api.allPosts({ ...range, limit: 500 }), next_cursor: null };
  }

  /** What was loaded before stays in sight. @param {unknown} error @param {boolean} more */
  #showTrouble(error, more) {
    if (!this.#loaded) at("board").replaceChildren();
    this.#notice.show(error, () => void this.#load({ more }));
    ready();
  }

  /** Signed out or deleted: there is nothing left to do here. @param {unknown} error */
  #endIfOver(error) {
    if (!(error instanceof ApiError) || (error.kind !== "signed-out" && error.kind !== "forbidden")) return false;
    this.#auth.forget();
    this.#showSignedOut(error.kind === "signed-out" ? describe(error).title + ". " + describe(error).text : error.message);
    return true;
  }

  // --- showing ------------------------------------------------------------------------------------

  #draw() {
    const { view, day, posts, accounts } = this.#state;
    const handles = new Map(accounts.map(({ id, handle }) => [id, handle]));
    drawBoard(at("board"), { view, day, posts, handles }, {
      edit: (post) => this.#editor.edit(post, this.#state.accounts),
      askWhere: (post) => this.#moveDialog.ask(post),
      move: (post, to) => this.#move(post, to),
      write: (on) => this.#write(on),
    });
    at("more").hidden = this.#state.cursor === null;
    this.#drawEmpty();
    ready();
  }

  #drawEmpty() {
    const { view, posts, accounts } = this.#state;
    at("empty").hidden = posts.length > 0;
    at("area").classList.toggle("is-empty", posts.length === 0);
    if (posts.length > 0) return;
    const [title, text, action] = accounts.length
      ? [EMPTY[view], "What you plan here shows up on its day.", "Write a post"]
      : ["Where should posts go?", "Add the X account that you write for, then plan its first post.", "Add an X account"];
    at("empty-title").textContent = title;
    at("empty-text").textContent = text;
    const button = at("empty-action");
    button.textContent = action;
    button.onclick = () => this.#write(this.#state.day);
  }

  #drawBar() {
    const { view, day } = this.#state;
    at("title").textContent = titleOf(view, day);
    at("back").setAttribute("aria-label", view === "day" ? "Previous day" : "Previous week");
    at("forth").setAttribute("aria-label", view === "day" ? "Next day" : "Next week");
    for (const button of at("views").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === view));
    }
    at("zone").textContent = `Times are yours: ${timeZone()}.`;
  }

  /** @param {string} reason */
  #showSignedOut(reason) {
    this.#loads += 1;
    this.#notice.clear();
    this.#editor.close();
    this.#moveDialog.close();
    this.#accountsDialog.close();
    Object.assign(this.#state, { posts: [], accounts: [], cursor: null });
    at("board").replaceChildren();
    at("signed-in").hidden = true;
    at("who").hidden = true;
    at("signed-out").hidden = false;
    at("signed-out-reason").hidden = reason === "";
    at("signed-out-reason").textContent = reason;
    if (reason || this.#loaded) at("sign-in").focus();
    ready();
  }

  // --- acting -------------------------------------------------------------------------------------

  /** @param {Date} day @param {View} [view] */
  #go(day, view = this.#state.view) {
    Object.assign(this.#state, { day: startOfDay(day), view, posts: [], cursor: null });
    history.replaceState(null, "", `?view=${view}&day=${toDay(day)}`);
    this.#loaded = false;
    at("empty").hidden = true;
    at("more").hidden = true;
    at("area").classList.remove("is-empty");
    this.#drawBar();
    return this.#load();
  }

  /** @param {Date} day */
  #write(day) {
    if (this.#state.accounts.length === 0) return this.#accountsDialog.open([]);
    const now = new Date();
    // Today: soon. Another day: at nine in the morning.
    const when = toDay(day) === toDay(now) ? nextHour(now) : onDay(new Date(2000, 0, 1, 9), day);
    this.#editor.write(when, this.#state.accounts);
  }

  /** @param {Post} post @param {Date} day */
  async #move(post, day) {
    const when = onDay(new Date(post.scheduled_at), day);
    const moved = { ...post, scheduled_at: when.toISOString() };
    // Shown at once, and taken back if the server says no.
    this.#put(moved);
    try {
      const answer = await this.#api.changePost(post.id, { scheduled_at: moved.scheduled_at });
      await this.#saved(answer, `Moved to ${longDay(when)}, ${timeOfDay(when)}.`);
    } catch (error) {
      if (this.#endIfOver(error)) return;
      if (error instanceof ApiError && error.kind === "gone") this.#state.posts = this.#state.posts.filter(({ id }) => id !== post.id);
      else this.#put(post);
      this.#draw();
      focusCard(at("board"), post.id);
      say(`Not moved. ${inOneLine(error)}`);
    }
  }

  /** @param {Post} post @param {string} told */
  async #saved(post, told) {
    const when = new Date(post.scheduled_at);
    const { start, end } = rangeOf(this.#state.view, this.#state.day);
    // A post that left the view is followed.
    if (when < start || (end && when > end)) await this.#go(when);
    else this.#put(post);
    focusCard(at("board"), post.id);
    say(told);
  }

  /** @param {Post} post */
  #put(post) {
    const others = this.#state.posts.filter(({ id }) => id !== post.id);
    this.#state.posts = [...others, post].sort(inOrder);
    this.#draw();
  }

  /** @param {import("./api.js").Account[]} accounts @param {string} told */
  #changeAccounts(accounts, told) {
    const first = this.#state.accounts.length === 0 && accounts.length === 1;
    this.#state.accounts = accounts;
    this.#accountsDialog.draw(accounts);
    this.#draw();
    say(told);
    // The next thing to do is what the first account was wanted for.
    if (first) {
      this.#accountsDialog.close();
      this.#write(this.#state.day);
    }
  }

  // --- the dev Clerk ------------------------------------------------------------------------------

  #watchSigningUp() {
    const dev = this.#dev;
    if (!dev) {
      if (!this.#auth.label) this.#api.me().then((me) => this.#showName(me), () => {});
      return;
    }
    at("happened").hidden = false;
    // Open for who has just come, a line for who knows it already.
    /** @type {HTMLDetailsElement} */ (at("happened")).open = dev.justCame;
    const seen = (/** @type {import("./api.js").Me} */ me) => this.#showName(me);
    // The posts are loaded beside it, and what is wrong is told there.
    watch(dev, () => this.#api.me(), seen).catch((error) => this.#endIfOver(error));
  }

  /** @param {import("./api.js").Me} me */
  #showName(me) {
    at("who-name").textContent = me.user?.email ?? me.user_id;
  }
}

/** @param {Post} a @param {Post} b As the server orders them. */
function inOrder(a, b) {
  const apart = Date.parse(a.scheduled_at) - Date.parse(b.scheduled_at);
  return apart || (a.id < b.id ? -1 : 1);
}

/** @returns {{ view: View, day: Date }} */
function readAddress() {
  const query = new URLSearchParams(location.search);
  const view = VIEWS.find((view) => view === query.get("view")) ?? "week";
  return { view, day: fromDay(query.get("day")) ?? startOfDay(new Date()) };
}

/** The page can be used from here on. */
function ready() {
  if (performance.getEntriesByName("ready").length === 0) performance.mark("ready");
}

async function start() {
  const { auth, dev, devClerk } = await findAuth();
  at("starting").hidden = true;
  at("switch-user").hidden = dev === null;
  at("signed-out-dev").hidden = dev === null;
  if (devClerk) at("happened-dev").setAttribute("href", `${devClerk}/dev`);
  if (auth) new Page(auth, dev).start();
  else at("unconfigured").hidden = false;
}

/** @type {View[]} */
const VIEWS = ["week", "day", "list"];
const EMPTY = { week: "Nothing planned this week", day: "Nothing planned on this day", list: "Nothing planned from here on" };
const LIST_PAGE = 50;

start().catch((error) => {
  at("starting").hidden = true;
  at("unconfigured").hidden = false;
  at("unconfigured-title").textContent = "This page could not start";
  at("unconfigured-text").textContent = error instanceof Error ? error.message : String(error);
});
