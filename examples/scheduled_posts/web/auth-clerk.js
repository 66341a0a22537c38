// @ts-check
// Signing in through a Clerk instance: ClerkJS from its Frontend API, without Clerk's components.
// Users sign in on the instance's Account Portal, so that no foreign style is needed here.

/** @typedef {import("./auth.js").Auth} Auth */
/**
 * As much of ClerkJS as is used.
 * @typedef {object} Clerk
 * @property {() => Promise<void>} load
 * @property {{ getToken: (options: { skipCache: boolean }) => Promise<string | null> } | null | undefined} session
 * @property {{ primaryEmailAddress: { emailAddress: string } | null, id: string } | null | undefined} user
 * @property {(options: { signInForceRedirectUrl: string, signUpForceRedirectUrl: string }) => Promise<unknown>} redirectToSignIn
 * @property {() => Promise<void>} signOut
 * @property {(listener: (resources: { session?: { id?: string } | null }) => void) => void} addListener
 */

/** @implements {Auth} */
export class ClerkAuth {
  #clerk;
  #ended = false;

  /** @param {{ publishable_key: string, script: string }} instance */
  static async load({ publishable_key, script }) {
    await loadScript(script, publishable_key);
    const { Clerk: clerk } = /** @type {{ Clerk?: Clerk }} */ (/** @type {unknown} */ (window));
    if (!clerk) throw new Error("ClerkJS did not start.");
    await clerk.load();
    return new ClerkAuth(clerk);
  }

  /** @param {Clerk} clerk */
  constructor(clerk) {
    this.#clerk = clerk;
  }

  get signedIn() {
    return !this.#ended && Boolean(this.#clerk.session);
  }

  get label() {
    return this.#clerk.user?.primaryEmailAddress?.emailAddress ?? null;
  }

  async signIn() {
    const back = location.href;
    await this.#clerk.redirectToSignIn({ signInForceRedirectUrl: back, signUpForceRedirectUrl: back });
  }

  async signOut() {
    await this.#clerk.signOut();
  }

  forget() {
    this.#ended = true;
  }

  /** @param {() => void} listener */
  onChange(listener) {
    // ClerkJS tells of every new token too.
    let last = this.#idOfSession();
    this.#clerk.addListener(() => {
      const id = this.#idOfSession();
      if (id === last) return;
      last = id;
      listener();
    });
  }

  // ClerkJS keeps a token and renews it before it expires.
  /** @param {{ fresh?: boolean }} [options] */
  async getToken({ fresh = false } = {}) {
    return (await this.#clerk.session?.getToken({ skipCache: fresh })) ?? null;
  }

  #idOfSession() {
    return /** @type {{ id?: string } | null | undefined} */ (this.#clerk.session)?.id ?? null;
  }
}

/**
 * @param {string} src
 * @param {string} publishableKey
 * @returns {Promise<void>}
 */
function loadScript(src, publishableKey) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = src;
    script.async = true;
    script.crossOrigin = "anonymous";
    script.dataset.clerkPublishableKey = publishableKey;
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => reject(new Error(`ClerkJS cannot be had from ${new URL(src).host}.`)));
    document.head.append(script);
  });
}
