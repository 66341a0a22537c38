// @ts-check
// What is said to the user: what went wrong and what happens next, and what went well.

import { ApiError } from "./api.js";
import { at } from "./dom.js";

/**
 * In words, as what it is.
 * @param {unknown} error
 * @returns {{ title: string, text: string }}
 */
export function describe(error) {
  if (!(error instanceof ApiError)) {
    return { title: "This page made a mistake", text: error instanceof Error ? error.message : String(error) };
  }
  const said = sentence(error.message);
  switch (error.kind) {
    case "signed-out":
      return { title: "Your session has ended", text: "Sign in again to go on." };
    case "forbidden":
      return { title: "You may not do this", text: said };
    case "gone":
      return { title: "This is not there any more", text: `${said} Somebody may have removed it meanwhile.` };
    case "invalid":
      return { title: "The server does not take this", text: said };
    case "rate-limited":
      return { title: "Too many requests", text: "The server allows only so many in a while, and this is over the limit." };
    case "unavailable":
      return { title: "The server cannot answer just now", text: `It says: ${said} Nothing of yours is lost.` };
    case "network":
      return { title: "No connection", text: said };
    default:
      return { title: "Something went wrong on the server", text: `${said} Its log says more.` };
  }
}

/** As one line. @param {unknown} error */
export function inOneLine(error) {
  const { title, text } = describe(error);
  const wait = error instanceof ApiError && error.retryAfter ? ` Try again in ${inWords(error.retryAfter)}.` : "";
  return `${title}. ${text}${wait}`;
}

/** Tells for a moment that something was done. @param {string} text */
export function say(text) {
  const toast = at("toast");
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => toast.classList.remove("shown"), 4000);
}

/** What keeps the page from showing posts. Tries again by itself when the server said when. */
export class Notice {
  #ends = 0;

  /**
   * @param {unknown} error
   * @param {() => void} retry
   */
  show(error, retry) {
    clearInterval(this.#ends);
    at("notice-wait").textContent = "";
    const { title, text } = describe(error);
    write("notice-title", title);
    write("notice-text", text);
    const section = at("notice");
    section.dataset.kind = error instanceof ApiError ? error.kind : "failed";
    section.hidden = false;
    at("notice-retry").onclick = retry;
    if (error instanceof ApiError && error.mayPass) this.#count(error.retryAfter ?? PAUSE, retry);
  }

  clear() {
    clearInterval(this.#ends);
    at("notice").hidden = true;
    at("notice-wait").textContent = "";
  }

  /** @param {number} seconds @param {() => void} retry */
  #count(seconds, retry) {
    const end = Date.now() + seconds * 1000;
    const tick = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      if (left <= 0) {
        clearInterval(this.#ends);
        retry();
      } else {
        at("notice-wait").textContent = `Trying again in ${inWords(left)}.`;
      }
    };
    tick();
    this.#ends = setInterval(tick, 500);
  }
}

// The same again is not read out again.
/** @param {string} id @param {string} text */
function write(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

/** @param {number} seconds */
const inWords = (seconds) => (seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`);

/** @param {string} text */
const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

// In seconds, when the server did not say.
const PAUSE = 5;
let toastEnds = 0;
