/** A pen for those who draw by keyboard: Space takes it and sets it down, arrow keys move it. */

/** @typedef {import("./ink.js").Point} Point */
/** @typedef {import("./pad.js").Pad} Pad */

const HELP =
  "Space shows a pen in the middle, sets it down and lifts it; arrow keys move it, with Shift a " +
  "little; Escape puts it away. Backspace takes a stroke back, Delete all.";
const FAR = 14; // units of the pad, of 280, that an arrow key moves the pen by
const NEAR = 3; // with Shift

/** @type {Object<string, Point>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class KeyboardPen {
  /** @param {Pad} pad */
  constructor(pad) {
    this.pad = pad;
    /** @type {Point | null} where the pen is; null if nobody has taken it */
    this.point = null;
    this.isDown = false;
    this.cursor = document.createElement("div");
    this.cursor.hidden = true;
    // With this role a screen reader hands the arrow keys on.
    pad.surface.setAttribute("role", "application");
    pad.surface.setAttribute("aria-description", HELP);
    pad.surface.addEventListener("keydown", (event) => this.onKey(event));
    pad.surface.addEventListener("pointerdown", () => this.putAway());
    pad.surface.addEventListener("blur", () => this.putAway());
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (event.key === " ") this.press();
    else if (event.key === "Backspace") this.pad.undo();
    else if (event.key === "Delete") this.pad.clear();
    else if (event.key === "Escape" && this.point) this.putAway();
    else if (arrow && this.point) this.move(arrow, event.shiftKey ? NEAR : FAR);
    else return; // before the pen is taken, arrow keys scroll the page
    event.preventDefault();
  }

  press() {
    if (!this.point) {
      this.point = [this.pad.size / 2, this.pad.size / 2];
      this.show();
    } else if (this.isDown) {
      this.isDown = false;
      this.pad.changed();
    } else {
      this.pad.lift();
      this.isDown = true;
      this.pad.begin(this.point);
    }
  }

  /**
   * @param {Point} direction
   * @param {number} distance
   */
  move([right, down], distance) {
    if (!this.point) return;
    const [x, y] = this.point;
    const limit = (/** @type {number} */ value) => Math.min(Math.max(value, 0), this.pad.size);
    this.point = [limit(x + right * distance), limit(y + down * distance)];
    if (this.isDown) this.pad.extend([this.point]);
    this.show();
  }

  putAway() {
    this.point = null;
    if (this.isDown) {
      this.isDown = false;
      this.pad.changed();
    }
    this.show();
  }

  show() {
    this.cursor.hidden = !this.point;
    this.cursor.className = this.isDown ? "digitlab-cursor digitlab-down" : "digitlab-cursor";
    if (!this.point) return;
    this.cursor.style.left = `${(100 * this.point[0]) / this.pad.size}%`;
    this.cursor.style.top = `${(100 * this.point[1]) / this.pad.size}%`;
  }
}
