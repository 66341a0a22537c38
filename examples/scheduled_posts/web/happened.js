// @ts-check
// With the dev Clerk: what signing up set off, while it happens. Session, webhook, row.

import { ApiError } from "./api.js";
import { at } from "./dom.js";

/** @typedef {import("./api.js").Me} Me */
/** @typedef {import("./auth-dev.js").Delivery} Delivery */

/**
 * Looks again and again until the row is there, and tells each time.
 * @param {import("./auth-dev.js").DevAuth} dev
 * @param {() => Promise<Me>} ask
 * @param {(me: Me) => void} seen
 */
export async function watch(dev, ask, seen) {
  const again = /** @type {HTMLButtonElement} */ (at("happened-again"));
  again.onclick = () => void watch(dev, ask, seen);
  again.hidden = true;
  for (let look = 0; look < LOOKS; look += 1) {
    try {
      const [me, deliveries] = await Promise.all([ask(), dev.deliveries()]);
      seen(me);
      const webhook = deliveries.find(({ type }) => type === "user.created") ?? null;
      draw(me, webhook);
      // An e-mail address comes by webhook only; a row without one is from a first write.
      if (me.user?.email && webhook?.state !== "pending") return;
      if (webhook?.state === "given_up") break;
    } catch (error) {
      if (!(error instanceof ApiError) || !error.mayPass) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  again.hidden = false;
}

/** @param {Me} me @param {Delivery | null} webhook */
function draw(me, webhook) {
  mark("signed-up", "done", `Session of ${me.user_id}`);
  if (webhook) mark("webhook", STATES[webhook.state], tell(webhook));
  else if (me.user?.email) mark("webhook", "done", "Came before the dev Clerk was started");
  else mark("webhook", "waiting", "On its way");
  if (me.user) mark("row", "done", `SELECT finds ${me.user.email ?? "it, without an e-mail address yet"}`);
  else mark("row", "waiting", "Not there yet");
}

/** @param {Delivery} webhook */
function tell({ state, tries, status }) {
  const times = tries === 1 ? "1 try" : `${tries} tries`;
  if (state === "delivered") return `Answered ${status ?? ""}, ${times}`;
  if (state === "given_up") return `Given up after ${times}`;
  return tries ? `Not taken in yet, ${times}` : "On its way";
}

/** @param {string} step @param {"done" | "waiting" | "failed"} state @param {string} text */
function mark(step, state, text) {
  at(`happened-${step}`).dataset.state = state;
  const told = at(`happened-${step}-text`);
  // Said aloud when it changes, and only then.
  if (told.textContent !== text) told.textContent = text;
}

/** @type {Record<Delivery["state"], "done" | "waiting" | "failed">} */
const STATES = { delivered: "done", pending: "waiting", given_up: "failed" };
const LOOKS = 60;
const PAUSE_MS = 1000;
