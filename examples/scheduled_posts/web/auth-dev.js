// @ts-check
// Signing in through the dev Clerk: its session in this browser, and tokens from it.

import { ApiError } from "./api.js";

/** @typedef {import("./auth.js").Auth} Auth */
/** @typedef {{ id: string, token: string }} Session */
/**
 * A webhook about the signed-in user, as the dev Clerk sees it.
 * @typedef {{ type: string, state: "pending" | "delivered" | "given_up", tries: number, status: number | null }} Delivery
 */

/** @implements {Auth} */
export class DevAuth {
  #devClerk;
  /** @type {Session | null} */
  #session;
  /** @type {{ jwt: string, expires: number } | null} */
  #token = null;
  /** @type {Promise<string | null> | null} */
  #asking = null;

  /**
   * @param {string} devClerk Its origin.
   * @param {Session | null} session
   */
  constructor(devClerk, session) {
    this.#devClerk = devClerk;
    this.#session = session;
    /** Whether this visit comes from the sign-in page. */
    this.justCame = false;
  }

  /**
   * Takes the sign-in that this visit comes from, or else the session that this browser kept.
   * @param {string} devClerk Its origin.
   */
  static async load(devClerk) {
    const session = await exchanged(devClerk, takeCode());
    if (session) {
      // The old session goes only when the new one is known to work.
      const auth = new DevAuth(devClerk, session);
      if (await auth.getToken().catch(() => null)) {
        auth.justCame = true;
        localStorage.setItem(KEPT, JSON.stringify(session));
        return auth;
      }
    }
    return new DevAuth(devClerk, kept());
  }

  get signedIn() {
    return this.#session !== null;
  }

  /** Only the server knows. */
  get label() {
    return null;
  }

  async signIn() {
    const back = encodeURIComponent(location.origin + location.pathname + location.search);
    // What comes back counts only where it was begun: anybody can make a link with a code.
    const state = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem(STATE, state);
    location.assign(`${this.#devClerk}/sign-in?redirect_url=${back}&state=${state}`);
  }

  async signOut() {
    const session = this.#session;
    this.forget();
    // A session that cannot be ended there is still gone from here.
    if (session) await this.#call(session, "POST", `${path(session)}/remove`).catch(() => {});
  }

  forget() {
    const isKept = kept()?.id === this.#session?.id;
    this.#session = null;
    this.#token = null;
    // Another tab may have signed in as somebody else meanwhile.
    if (isKept) localStorage.removeItem(KEPT);
  }

  /** @param {() => void} listener */
  onChange(listener) {
    // Told by the browser when another tab did it.
    addEventListener("storage", (event) => {
      if (event.key === KEPT && event.newValue !== event.oldValue) listener();
    });
  }

  /** @param {{ fresh?: boolean }} [options] @returns {Promise<string | null>} */
  async getToken({ fresh = false } = {}) {
    if (!fresh && this.#token && Date.now() < this.#token.expires) return this.#token.jwt;
    // Whoever comes while one is on its way waits for the same.
    this.#asking ??= this.#ask().finally(() => { this.#asking = null; });
    return this.#asking;
  }

  /** @returns {Promise<Delivery[]>} The newest first. */
  async deliveries() {
    const session = this.#session;
    if (!session) return [];
    const answer = await this.#call(session, "GET", `/dev/sessions/${encodeURIComponent(session.id)}/deliveries`);
    return answer.ok ? answer.json() : [];
  }

  async #ask() {
    const session = this.#session;
    if (!session) return null;
    const asked = Date.now();
    const answer = await this.#call(session, "POST", `${path(session)}/tokens`);
    if (answer.status === 401 || answer.status === 404) {
      this.forget();
      return null;
    }
    if (!answer.ok) {
      throw new ApiError("unavailable", `The dev Clerk answered ${answer.status}.`, { status: answer.status });
    }
    const { jwt } = await answer.json();
    this.#token = { jwt, expires: asked + lifetime(jwt) - MARGIN_MS };
    return jwt;
  }

  /**
   * @param {Session} session
   * @param {string} method
   * @param {string} path
   */
  async #call(session, method, path) {
    try {
      return await fetch(this.#devClerk + path, { method, headers: { Authorization: `Bearer ${session.token}` } });
    } catch {
      throw new ApiError("network", "The dev Clerk cannot be reached. Is it running?");
    }
  }
}

// What the sign-in page put into the fragment, where no server's log sees it; null if this tab began
// no such sign-in.
/** @returns {string | null} */
function takeCode() {
  const given = new URLSearchParams(location.hash.slice(1));
  const code = given.get("code");
  if (!code) return null;
  history.replaceState(null, "", location.pathname + location.search);
  const state = sessionStorage.getItem(STATE);
  if (!state || given.get("state") !== state) return null;
  sessionStorage.removeItem(STATE);
  return code;
}

/**
 * @param {string} devClerk
 * @param {string | null} code
 * @returns {Promise<Session | null>}
 */
async function exchanged(devClerk, code) {
  if (!code) return null;
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${devClerk}/v1/client/sessions`, { method: "POST", headers, body: JSON.stringify({ code }) });
    if (!answer.ok) return null;
    const { id, client_token: token } = await answer.json();
    return isSession(id, token) ? { id, token } : null;
  } catch {
    return null;
  }
}

/** @returns {Session | null} */
function kept() {
  try {
    const { id, token } = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return isSession(id, token) ? { id, token } : null;
  } catch {
    return null;
  }
}

/** @param {Session} session */
function path(session) {
  return `/v1/client/sessions/${encodeURIComponent(session.id)}`;
}

/**
 * Whether both have Clerk's shape.
 * @param {unknown} id
 * @param {unknown} token
 */
function isSession(id, token) {
  const isWord = (/** @type {unknown} */ text, /** @type {RegExp} */ word) => typeof text === "string" && word.test(text);
  return isWord(id, /^sess_[A-Za-z0-9]{1,64}$/) && isWord(token, /^[A-Za-z0-9_.-]{1,1024}$/);
}

/**
 * In milliseconds, by the token's own two times: this machine's clock may be wrong.
 * @param {string} jwt
 */
function lifetime(jwt) {
  try {
    const { exp, iat } = JSON.parse(atob(jwt.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return (exp - iat) * 1000 || 0;
  } catch {
    return 0;
  }
}

const KEPT = "scheduled-posts.session";
// Of the sign-in that this tab began.
const STATE = "scheduled-posts.sign-in";
// A token lasts a minute; one this close to its end may be over when it arrives.
const MARGIN_MS = 10_000;
