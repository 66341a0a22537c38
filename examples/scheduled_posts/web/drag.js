// @ts-check
// Cards dragged to another day, with a mouse or a pen. A finger scrolls instead: cards have a button.

/**
 * @param {HTMLElement} board
 * @param {(postId: string, day: string) => void} drop
 */
export function letCardsBeDragged(board, drop) {
  board.addEventListener("pointerdown", (event) => {
    const card = event.target instanceof Element ? event.target.closest("[data-post]") : null;
    if (event.button === 0 && event.pointerType !== "touch" && card instanceof HTMLElement) {
      follow(card, event, drop);
    }
  });
}

/**
 * @param {HTMLElement} card
 * @param {PointerEvent} start
 * @param {(postId: string, day: string) => void} drop
 */
function follow(card, start, drop) {
  const listening = new AbortController();
  const { signal } = listening;
  /** @type {HTMLElement | null} */
  let ghost = null;
  /** @type {HTMLElement | null} */
  let target = null;
  // By Escape, while the button is still down.
  let givenUp = false;

  /** @param {PointerEvent} event */
  const move = (event) => {
    const [x, y] = [event.clientX - start.clientX, event.clientY - start.clientY];
    if (!ghost && Math.hypot(x, y) < BEGINS_AT) return;
    ghost ??= lift(card);
    ghost.style.translate = `${x}px ${y}px`;
    const under = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-day]");
    if (under === target) return;
    target?.classList.remove("target");
    target = under instanceof HTMLElement ? under : null;
    target?.classList.add("target");
  };
  const layDown = () => {
    ghost?.remove();
    card.classList.remove("lifted");
    target?.classList.remove("target");
    target = null;
  };
  const end = () => {
    listening.abort();
    layDown();
  };

  document.addEventListener("pointermove", (event) => { if (!givenUp) move(event); }, { signal });
  document.addEventListener("pointercancel", end, { signal });
  document.addEventListener("pointerup", () => {
    const [dragged, day] = [ghost !== null, target?.dataset.day];
    end();
    if (!dragged) return;
    // The click that the browser makes of this would open the card.
    card.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => card.removeEventListener("click", swallow, true));
    const from = card.closest("[data-day]");
    if (day && from instanceof HTMLElement && from.dataset.day !== day) drop(card.dataset.post ?? "", day);
  }, { signal });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !ghost) return;
    event.preventDefault();
    givenUp = true;
    layDown();
  }, { signal });
}

/** A copy that goes along with the pointer. @param {HTMLElement} card */
function lift(card) {
  const { left, top, width } = card.getBoundingClientRect();
  const ghost = /** @type {HTMLElement} */ (card.cloneNode(true));
  ghost.classList.add("dragged");
  ghost.inert = true;
  Object.assign(ghost.style, { left: `${left}px`, top: `${top}px`, width: `${width}px` });
  delete ghost.dataset.post;
  document.body.append(ghost);
  card.classList.add("lifted");
  getSelection()?.removeAllRanges();
  return ghost;
}

/** @param {Event} event */
function swallow(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

// Less than this is a click by a hand that trembles.
const BEGINS_AT = 6;
