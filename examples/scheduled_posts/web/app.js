// The page: shows what the API says, and sends what the user typed.

import { Api } from "/api.js";

const MOST = 280;
const at = (id) => document.getElementById(id);
let api;
let accounts = [];
let nextCursor = null;

async function start() {
  const config = await (await fetch("/app-config.json")).json();
  if (!config.dev_clerk) {
    at("real-clerk").hidden = false;
    return;
  }
  api = new Api(config.dev_clerk);
  at("sign-in").href = api.signInUrl();
  at("deliveries").href = `${config.dev_clerk}/dev`;
  at("dev-clerk").hidden = false;
  at("sign-out").addEventListener("click", signOut);
  at("new-account").addEventListener("submit", (event) => submit(event, addAccount));
  at("new-post").addEventListener("submit", (event) => submit(event, addPost));
  at("more").addEventListener("click", () => attempt(() => showPosts(nextCursor)));
  at("content").addEventListener("input", count);
  if (api.signedIn) await attempt(enter);
  show();
}

function show() {
  at("signed-out").hidden = api.signedIn;
  at("signed-in").hidden = !api.signedIn;
  at("who").hidden = !api.signedIn;
}

async function enter() {
  const synced = await showName();
  // The page may be faster than the webhook that brings the e-mail address.
  if (!synced) setTimeout(() => attempt(showName), 1500);
  setDefaultTime();
  count();
  await showAccounts();
  await showPosts(null);
}

async function showName() {
  if (!api.signedIn) return true;
  const me = await api.get("/api/me");
  at("who-name").textContent = me.user?.email ?? me.user_id;
  return me.user !== null;
}

async function signOut() {
  await api.signOut();
  say("Signed out.");
  show();
  at("sign-in").focus();
}

async function showAccounts() {
  ({ accounts } = await api.get("/api/x-accounts"));
  at("accounts").replaceChildren(...accounts.map(accountItem));
  at("no-accounts").hidden = accounts.length > 0;
  const chosen = at("account").value;
  const options = accounts.map(({ id, handle }) => new Option(handle, id));
  at("account").replaceChildren(...(options.length ? options : [new Option("Add one below first", "")]));
  if (accounts.some(({ id }) => id === chosen)) at("account").value = chosen;
}

async function showPosts(cursor) {
  const query = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
  const page = await api.get(`/api/scheduled-posts?limit=50${query}`);
  const items = page.posts.map(postItem);
  if (cursor) at("posts").append(...items);
  else at("posts").replaceChildren(...items);
  nextCursor = page.next_cursor;
  at("more").hidden = nextCursor === null;
  at("no-posts").hidden = at("posts").children.length > 0;
}

async function addAccount(form) {
  await api.post("/api/x-accounts", { handle: form.get("handle").trim() });
  await showAccounts();
  at("handle").value = "";
  say("Account added.");
}

async function addPost(form) {
  await api.post("/api/scheduled-posts", {
    x_account_id: form.get("x_account_id"),
    content: form.get("content"),
    scheduled_at: new Date(form.get("scheduled_at")).toISOString(),
  });
  await showPosts(null);
  at("content").value = "";
  count();
  say("Post scheduled.");
}

function accountItem({ id, handle }) {
  const name = element("p", handle);
  return item([name], `Remove the account ${handle} and its posts`, async () => {
    await api.remove(`/api/x-accounts/${id}`);
    await showAccounts();
    await showPosts(null);
    say("Account removed.");
  });
}

function postItem(post) {
  const when = new Date(post.scheduled_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const handle = accounts.find(({ id }) => id === post.x_account_id)?.handle ?? "";
  const meta = element("p", [when, handle, post.status].filter(Boolean).join(" · "));
  meta.className = "meta";
  return item([element("p", post.content), meta], `Delete the post of ${when}`, async () => {
    await api.remove(`/api/scheduled-posts/${post.id}`);
    await showPosts(null);
    say("Post deleted.");
  });
}

function item(contents, label, remove) {
  const text = document.createElement("div");
  text.append(...contents);
  const button = element("button", "Delete");
  button.type = "button";
  button.className = "remove";
  button.setAttribute("aria-label", label);
  button.addEventListener("click", () => attempt(remove, button));
  const li = document.createElement("li");
  li.append(text, button);
  return li;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function submit(event, action) {
  event.preventDefault();
  const form = event.currentTarget;
  return attempt(() => action(new FormData(form)), event.submitter);
}

// Runs an action, and shows what went wrong as what it is.
async function attempt(action, button) {
  at("problem").hidden = true;
  if (button) button.disabled = true;
  try {
    await action();
  } catch (problem) {
    at("problem").textContent = problem.message;
    at("problem").hidden = false;
    // Deleted users and ended sessions have nothing left to do here.
    if (problem.status === 403) api.forget();
    show();
  } finally {
    if (button) button.disabled = false;
  }
}

// As the server counts: whole characters, not UTF-16 halves.
function count() {
  const left = MOST - [...at("content").value].length;
  at("count").textContent = left < 0 ? `${-left} too many characters` : `${left} characters left`;
  at("count").className = left < 0 ? "over" : "soft";
}

function setDefaultTime() {
  const soon = new Date(Date.now() + 3_600_000);
  soon.setMinutes(soon.getMinutes() - soon.getTimezoneOffset(), 0, 0);
  at("when").value = soon.toISOString().slice(0, 16);
}

function say(text) {
  at("status").textContent = text;
}

start().catch((problem) => {
  at("problem").textContent = `The page could not start: ${problem.message}`;
  at("problem").hidden = false;
});
