// @ts-check
// Who signs the users in here: the dev Clerk, a Clerk instance, or nobody that this page could ask.

import { ClerkAuth } from "./auth-clerk.js";
import { DevAuth } from "./auth-dev.js";

/**
 * What the page needs of either.
 * @typedef {object} Auth
 * @property {boolean} signedIn
 * @property {string | null} label The user's name or address, if it is known without the server.
 * @property {() => Promise<void>} signIn Leaves the page, and comes back signed in.
 * @property {() => Promise<void>} signOut
 * @property {() => void} forget The session has ended elsewhere.
 * @property {(listener: () => void) => void} onChange Calls when somebody signed in or out elsewhere.
 * @property {(options?: { fresh?: boolean }) => Promise<string | null>} getToken
 *
 * @typedef {object} PageConfig
 * @property {string | null} dev_clerk
 * @property {{ publishable_key: string, script: string } | null} clerk
 */

/** @returns {Promise<{ auth: Auth | null, dev: DevAuth | null, devClerk: string | null }>} */
export async function findAuth() {
  /** @type {PageConfig} */
  const config = await (await fetch("/app-config.json")).json();
  if (config.dev_clerk) {
    const dev = await DevAuth.load(config.dev_clerk);
    return { auth: dev, dev, devClerk: config.dev_clerk };
  }
  const auth = config.clerk && (await ClerkAuth.load(config.clerk));
  return { auth, dev: null, devClerk: null };
}
