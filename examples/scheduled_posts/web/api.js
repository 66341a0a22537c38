// @ts-check
// The API as typed functions. Needs `fetch` and a source of tokens, and knows nothing of a page: copy
// it into any front end. With Clerk's React hooks, for example:
//
//     const { getToken } = useAuth();
//     const api = new ApiClient({ getToken: ({ fresh } = {}) => getToken({ skipCache: fresh }) }, "https://api.example.com");

/**
 * Who is signed in, as a token. `null` when nobody is; `fresh` when the one from before was refused.
 * @typedef {{ getToken: (options?: { fresh?: boolean }) => Promise<string | null> }} TokenSource
 */

/**
 * @typedef {"draft" | "scheduled" | "cancelled"} PostStatus What a client may set.
 *
 * @typedef {object} Post
 * @property {string} id
 * @property {string} x_account_id
 * @property {string} content 1 to 280 characters.
 * @property {string} scheduled_at RFC 3339, UTC.
 * @property {PostStatus | string} status
 * @property {string} created_at
 * @property {string} updated_at
 *
 * @typedef {{ x_account_id: string, content: string, scheduled_at: string }} NewPost
 * @typedef {{ content?: string, scheduled_at?: string, status?: PostStatus }} PostChange
 * @typedef {{ posts: Post[], next_cursor: string | null }} PostPage
 *
 * @typedef {object} PostQuery
 * @property {Date} [start] The first moment, included.
 * @property {Date} [end] The last moment, included.
 * @property {number} [limit] 1 to 500; 100 when left out.
 * @property {string | null} [cursor] Where the page before ended.
 *
 * @typedef {{ id: string, handle: string, created_at: string }} Account
 *
 * @typedef {object} Me
 * @property {string} user_id
 * @property {string | null} session_id
 * @property {{ id: string, slug: string | null, role: string | null, permissions: string[] } | null} org
 * @property {{ id: string, email: string | null, created_at: string } | null} user
 *   The row that Clerk's webhook brought; `null` until it came.
 */

/**
 * `signed-out`: 401, and a new token did not help. `forbidden`: 403. `gone`: 404.
 * `invalid`: what was sent is not taken, `message` says why. `rate-limited`: 429.
 * `unavailable`: 502, 503 or 504. `network`: no answer came. `failed`: a fault of the server's.
 * @typedef {"signed-out" | "forbidden" | "gone" | "invalid" | "rate-limited" | "unavailable" | "network" | "failed"} ApiErrorKind
 */

/** What went wrong, with the server's own words as `message`. */
export class ApiError extends Error {
  /**
   * @param {ApiErrorKind} kind
   * @param {string} message
   * @param {{ status?: number, retryAfter?: number | null }} [more]
   */
  constructor(kind, message, { status = 0, retryAfter = null } = {}) {
    super(message);
    this.name = "ApiError";
    this.kind = kind;
    /** The HTTP status; 0 when there was no answer. */
    this.status = status;
    /** After how many seconds to try again, when the server said so. */
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may well succeed later. */
  get mayPass() {
    return this.kind === "rate-limited" || this.kind === "unavailable" || this.kind === "network";
  }
}

/** How many characters a post may have, counted as `countCharacters` does. */
export const MOST_CHARACTERS = 280;

/**
 * As the server counts: whole Unicode characters, not UTF-16 halves.
 * @param {string} text
 */
export function countCharacters(text) {
  return [...text].length;
}

export class ApiClient {
  #tokens;
  #base;

  /**
   * @param {TokenSource} tokens
   * @param {string} [base] The server's origin; none for the page's own.
   */
  constructor(tokens, base = "") {
    this.#tokens = tokens;
    this.#base = base;
  }

  /** @returns {Promise<Me>} */
  me() {
    return this.#send("GET", "/api/me");
  }

  /** @returns {Promise<Account[]>} */
  async accounts() {
    /** @type {Account[]} */
    const all = [];
    for (let cursor = null; ; ) {
      const query = new URLSearchParams({ limit: "500", ...(cursor && { cursor }) });
      const page = await this.#send("GET", `/api/x-accounts?${query}`);
      all.push(...page.accounts);
      cursor = page.next_cursor;
      if (!cursor) return all;
    }
  }

  /** @param {string} handle @returns {Promise<Account>} */
  addAccount(handle) {
    return this.#send("POST", "/api/x-accounts", { handle });
  }

  /** Removes the account and its posts. @param {string} id @returns {Promise<void>} */
  removeAccount(id) {
    return this.#send("DELETE", `/api/x-accounts/${encodeURIComponent(id)}`);
  }

  /** One page, ordered by time. @param {PostQuery} [query] @returns {Promise<PostPage>} */
  posts({ start, end, limit, cursor } = {}) {
    const query = new URLSearchParams();
    if (start) query.set("start_date", start.toISOString());
    if (end) query.set("end_date", end.toISOString());
    if (limit) query.set("limit", String(limit));
    if (cursor) query.set("cursor", cursor);
    return this.#send("GET", `/api/scheduled-posts?${query}`);
  }

  /** All pages, one after the other. @param {PostQuery} query @returns {Promise<Post[]>} */
  async allPosts(query) {
    /** @type {Post[]} */
    const all = [];
    let { cursor = null } = query;
    do {
      const page = await this.posts({ ...query, cursor });
      all.push(...page.posts);
      cursor = page.next_cursor;
    } while (cursor);
    return all;
  }

  /** @param {NewPost} post @returns {Promise<Post>} */
  createPost(post) {
    return this.#send("POST", "/api/scheduled-posts", post);
  }

  /** @param {string} id @param {PostChange} change @returns {Promise<Post>} */
  changePost(id, change) {
    return this.#send("PUT", `/api/scheduled-posts/${encodeURIComponent(id)}`, change);
  }

  /** @param {string} id @returns {Promise<void>} */
  removePost(id) {
    return this.#send("DELETE", `/api/scheduled-posts/${encodeURIComponent(id)}`);
  }

  /** @param {string} prompt @param {number} [count] @returns {Promise<string[]>} */
  async suggestions(prompt, count) {
    const body = count === undefined ? { prompt } : { prompt, count };
    return (await this.#send("POST", "/api/scheduled-posts/generate-ai", body)).suggestions;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async #send(method, path, body) {
    const token = await this.#token(false);
    let answer = await this.#fetch(method, path, token, body);
    if (answer.status === 401) {
      // Clocks differ and machines sleep: one more try, and only with another token.
      const another = await this.#token(true);
      if (another !== token) answer = await this.#fetch(method, path, another, body);
    }
    if (answer.status === 204) return null;
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) return content;
    throw refused(answer, content.detail);
  }

  /** @param {boolean} fresh */
  async #token(fresh) {
    let token;
    try {
      token = await this.#tokens.getToken({ fresh });
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw new ApiError("network", `No token could be had: ${error instanceof Error ? error.message : error}`);
    }
    if (token === null) throw new ApiError("signed-out", "You are signed out.", { status: 401 });
    return token;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string} token
   * @param {object} [body]
   */
  async #fetch(method, path, token, body) {
    /** @type {Record<string, string>} */
    const headers = { Authorization: `Bearer ${token}` };
    if (body) headers["Content-Type"] = "application/json";
    const signal = AbortSignal.timeout(PATIENCE_MS);
    try {
      return await fetch(this.#base + path, { method, headers, signal, body: body && JSON.stringify(body) });
    } catch {
      throw new ApiError("network", "The server cannot be reached.");
    }
  }
}

/**
 * @param {Response} answer
 * @param {unknown} detail
 */
function refused(answer, detail) {
  const { status } = answer;
  const message = typeof detail === "string" ? detail : `The server answered ${status}.`;
  return new ApiError(kindOf(status), message, { status, retryAfter: seconds(answer.headers.get("Retry-After")) });
}

/** @param {number} status @returns {ApiErrorKind} */
function kindOf(status) {
  switch (status) {
    case 401: return "signed-out";
    case 403: return "forbidden";
    case 404: return "gone";
    case 400: case 409: case 413: case 415: case 422: return "invalid";
    case 429: return "rate-limited";
    case 502: case 503: case 504: return "unavailable";
    default: return "failed";
  }
}

/** `Retry-After` in seconds: a number of them, or a date. @param {string | null} header */
function seconds(header) {
  if (header === null) return null;
  const given = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isNaN(given) ? null : Math.max(0, Math.ceil(given));
}

// Above what the server allows a request.
const PATIENCE_MS = 30_000;
