// @ts-check
// Suggestions for a post's text, from the server's language model.

import { ApiError } from "./api.js";
import { at, busy, el } from "./dom.js";
import { inOneLine } from "./notice.js";

/**
 * @param {import("./api.js").ApiClient} api
 * @param {(error: unknown) => boolean} fatal
 * @param {(text: string) => void} take
 */
export function letIdeasBeAskedFor(api, fatal, take) {
  const prompt = /** @type {HTMLInputElement} */ (at("prompt"));
  const suggest = /** @type {HTMLButtonElement} */ (at("suggest"));
  const list = at("ideas");
  const told = at("ideas-told");

  const ask = async () => {
    const wish = prompt.value.trim();
    if (!wish) {
      told.textContent = "Say first what the post is about.";
      prompt.focus();
      return;
    }
    list.replaceChildren();
    told.textContent = "Thinking…";
    try {
      const ideas = await api.suggestions(wish, COUNT);
      list.replaceChildren(...ideas.map((text) => el("li", {}, idea(text, take))));
      told.textContent = ideas.length ? "Choose one to put it into the text." : "Nothing came to mind.";
    } catch (error) {
      told.textContent = "";
      if (!fatal(error)) told.textContent = explain(error);
    }
  };
  suggest.addEventListener("click", () => busy(suggest, ask));
  prompt.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    // Here it asks for suggestions instead of sending the form.
    event.preventDefault();
    void busy(suggest, ask);
  });
}

/** @param {string} text @param {(text: string) => void} take */
function idea(text, take) {
  const button = el("button", { type: "button", class: "idea" }, text);
  button.addEventListener("click", () => take(text));
  return button;
}

/** A server without a model is no fault. @param {unknown} error */
function explain(error) {
  if (error instanceof ApiError && error.kind === "unavailable") return `No suggestions just now: ${error.message}`;
  if (error instanceof ApiError && (error.status === 404 || error.status === 405)) return "This server makes no suggestions.";
  return inOneLine(error);
}

const COUNT = 3;
