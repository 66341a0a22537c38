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

  /** @param {string} devClerk Its origin. */
  constructor(devClerk) {
    this.#devClerk = devClerk;
    const given = takeGiven();
    /** Whether this visit comes from the sign-in page. */
    this.justCame = given !== null;
    this.#session = given ?? kept();
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
    location.assign(`${this.#devClerk}/sign-in?redirect_url=${back}`);
  }

  async signOut() {
    const session = this.#session;
    this.forget();
    // A session that cannot be ended there is still gone from here.
    if (session) await this.#call(session, "POST", `/v1/client/sessions/${session.id}/remove`).catch(() => {});
  }

  forget() {
    this.#session = null;
    this.#token = null;
    localStorage.removeItem(KEPT);
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
    const answer = await this.#call(session, "GET", `/dev/sessions/${session.id}/deliveries`);
    return answer.ok ? answer.json() : [];
  }

  async #ask() {
    const session = this.#session;
    if (!session) return null;
    const asked = Date.now();
    const answer = await this.#call(session, "POST", `/v1/client/sessions/${session.id}/tokens`);
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

// What the sign-in page put into the fragment, where no server's log sees it.
/** @returns {Session | null} */
function takeGiven() {
  const given = new URLSearchParams(location.hash.slice(1));
  const id = given.get("session_id");
  const token = given.get("__clerk_db_jwt");
  if (!id || !token) return null;
  const session = { id, token };
  localStorage.setItem(KEPT, JSON.stringify(session));
  history.replaceState(null, "", location.pathname + location.search);
  return session;
}

/** @returns {Session | null} */
function kept() {
  try {
    const { id, token } = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return typeof id === "string" && typeof token === "string" ? { id, token } : null;
  } catch {
    return null;
  }
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
// A token lasts a minute; one this close to its end may be over when it arrives.
const MARGIN_MS = 10_000;
