// The API and the dev Clerk, as functions. Knows nothing of the page.

const KEPT = "scheduled-posts.session";
// A token lasts a minute; one this close to its end may be over when it arrives.
const MARGIN_SECONDS = 10;

export class ApiProblem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export class Api {
  #devClerk;
  #session;
  #token = null;

  constructor(devClerk) {
    this.#devClerk = devClerk;
    this.#session = read();
  }

  get signedIn() {
    return this.#session !== null;
  }

  signInUrl() {
    const back = encodeURIComponent(location.origin + location.pathname);
    return `${this.#devClerk}/sign-in?redirect_url=${back}`;
  }

  async signOut() {
    const session = this.#session;
    this.forget();
    if (session) {
      // Signed out here in any case; an unreachable dev Clerk changes nothing about that.
      await this.#frontend(session, "remove").catch(() => {});
    }
  }

  forget() {
    this.#session = null;
    this.#token = null;
    localStorage.removeItem(KEPT);
  }

  get(path) {
    return this.#call("GET", path);
  }

  post(path, body) {
    return this.#call("POST", path, body);
  }

  remove(path) {
    return this.#call("DELETE", path);
  }

  async #call(method, path, body) {
    const headers = { Authorization: `Bearer ${await this.#freshToken()}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const answer = await reach(path, { method, headers, body: body && JSON.stringify(body) }, "The server");
    if (answer.status === 204) return null;
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) return content;
    if (answer.status === 401) this.#token = null;
    throw new ApiProblem(answer.status, content.detail ?? `The server answered ${answer.status}.`);
  }

  async #freshToken() {
    const now = Date.now() / 1000;
    if (this.#token && this.#token.expires - MARGIN_SECONDS > now) return this.#token.jwt;
    if (!this.#session) throw new ApiProblem(401, "You are signed out.");
    const answer = await this.#frontend(this.#session, "tokens");
    if (answer.status === 401 || answer.status === 404) {
      this.forget();
      throw new ApiProblem(401, "Your session has ended. Sign in again.");
    }
    if (!answer.ok) throw new ApiProblem(answer.status, `The dev Clerk answered ${answer.status}.`);
    const { jwt } = await answer.json();
    this.#token = { jwt, expires: now + lifetime(jwt) };
    return jwt;
  }

  #frontend(session, action) {
    const path = `/v1/client/sessions/${encodeURIComponent(session.id)}/${action}`;
    const headers = { Authorization: `Bearer ${session.token}` };
    return reach(this.#devClerk + path, { method: "POST", headers }, "The dev Clerk");
  }
}

async function reach(url, options, who) {
  try {
    return await fetch(url, options);
  } catch {
    throw new ApiProblem(0, `${who} cannot be reached. Is it running?`);
  }
}

// Takes over what the dev Clerk put into the fragment, or what an earlier visit kept.
function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const session = { id: given.get("session_id"), token: given.get("__clerk_db_jwt") };
  if (session.id && session.token) {
    localStorage.setItem(KEPT, JSON.stringify(session));
    history.replaceState(null, "", location.pathname);
    return session;
  }
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    return kept?.id && kept?.token ? kept : null;
  } catch {
    return null;
  }
}

// By its own two times, so that this machine's clock does not matter.
function lifetime(jwt) {
  try {
    const claims = JSON.parse(atob(jwt.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return claims.exp - claims.iat;
  } catch {
    return 0;
  }
}
