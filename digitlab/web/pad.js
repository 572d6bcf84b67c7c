/**
 * A square to draw a digit on, with mouse, finger or pen; the strokes are what others need of it.
 *
 * Ink is drawn as soon as the pen moves, and never read back: whoever listens gets the strokes.
 */

import { KeyboardPen } from "./keyboard_pen.js";

/** @typedef {import("./ink.js").Point} Point */
/** @typedef {import("./ink.js").Stroke} Stroke */

/**
 * @typedef {object} PadOptions
 * @property {number} [size] units along each side, in which the strokes are; the square itself is
 *   as large as the page lets it be
 * @property {number} [penWidth] in pixels of the picture that the network gets
 * @property {HTMLElement} [surface] what the pen moves on, in place of the canvas with the ink
 * @property {number} [pixels] along each side of that canvas; as many as the screen has if left out
 * @property {string} [label] what a screen reader calls the square
 * @property {string} [invitation] what stands on it while nothing is drawn
 * @property {(strokes: Stroke[], isDrawing: boolean) => void} [onChange] called after each change;
 *   the strokes are the pad's own, and may grow: copy what you keep
 */

// Of the pad's side, for a pen of 1 pixel of the picture. The pad is then 36 such pixels wide: the
// line looks as it does to the network where a digit is 20 of 36, half the pad, high.
const LINE_WIDTH = 0.0275;
const CORNER = Math.cos(Math.PI / 3); // where a line turns by more, its writer meant a corner
const SHORT = 4; // units of the pad; shorter lines turn because places are whole pixels
const DOT = 0.01; // units of the pad; how long the line of a dot is
const WRITING_INTERVAL = 30; // milliseconds from point to point where the pen moves by itself
const WRITING_PAUSE = 200; // milliseconds before it begins the next stroke
const PALM_PAUSE = 500; // milliseconds after the pen was near in which a touch is a palm

export class Pad {
  /**
   * @param {HTMLElement} element what to put the square into
   * @param {PadOptions} [options]
   */
  constructor(element, options = {}) {
    this.size = options.size ?? 280;
    this.onChange = options.onChange ?? (() => {});
    /** @type {Stroke[]} */
    this.strokes = [];
    /** @type {Stroke[]} strokes that were taken back, the latest last */
    this.undone = [];
    /** @type {PointerEvent | null} the press that began the stroke being drawn */
    this.press = null;
    this.lastPen = -Infinity; // when a pen was last near, in milliseconds
    this.writing = 0; // the frame in which the pen moves by itself next; 0 if it doesn't
    this.ink = new Ink(this.size, options.penWidth ?? 2.4, options.pixels);
    this.canvas = this.ink.canvas;
    this.surface = options.surface ?? this.canvas;
    this.surface.setAttribute("aria-label", options.label ?? "Drawing area");
    this.surface.tabIndex = 0;
    this.keyboard = new KeyboardPen(this);
    this.invitation = document.createElement("div");
    this.invitation.className = "digitlab-invitation";
    this.invitation.textContent = options.invitation ?? "Draw a digit here";
    element.append(this.canvas, this.invitation, this.keyboard.cursor);
    this.listen();
  }

  get isDrawing() {
    return this.press !== null || this.writing !== 0 || this.keyboard.isDown;
  }

  get penWidth() {
    return this.ink.penWidth;
  }

  /** Draw with a pen of another width, also what is drawn already. */
  set penWidth(width) {
    this.ink.penWidth = width;
    this.changed();
  }

  /**
   * Put another drawing here, the pen lifted.
   *
   * @param {Stroke[]} strokes in units of the pad
   */
  setStrokes(strokes) {
    this.lift();
    this.strokes = strokes.map((stroke) => stroke.map(([x, y]) => [x, y]));
    this.undone = [];
    this.changed();
  }

  clear() {
    const drawn = this.strokes;
    this.setStrokes([]);
    this.undone = drawn.reverse(); // redo brings them back, one after the other
  }

  /** Take back the last stroke; nothing happens on an empty pad. */
  undo() {
    this.lift();
    const stroke = this.strokes.pop();
    if (stroke) this.undone.push(stroke);
    this.changed();
  }

  redo() {
    this.lift();
    const stroke = this.undone.pop();
    if (stroke) this.strokes.push(stroke);
    this.changed();
  }

  /**
   * Have the pen write before your eyes; all at once for those who want less motion.
   *
   * @param {Stroke[]} strokes in units of the pad
   */
  write(strokes) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.setStrokes(strokes);
    this.setStrokes([]);
    const due = timesOfPoints(strokes);
    const points = strokes.flatMap((stroke) => stroke.map((point, i) => ({ point, first: !i })));
    const begin = performance.now();
    let next = 0;
    const move = (/** @type {number} */ now) => {
      for (; next < points.length && begin + due[next] <= now; next++) {
        if (points[next].first) this.strokes.push([]);
        this.strokes[this.strokes.length - 1].push(points[next].point);
      }
      this.writing = next < points.length ? requestAnimationFrame(move) : 0;
      this.changed();
    };
    this.writing = requestAnimationFrame(move);
  }

  /** Let go of the page: for a host that removes the pad. */
  destroy() {
    this.lift();
    this.ink.destroy();
  }

  // --- the pen -----------------------------------------------------------------------------------

  listen() {
    /** @type {[string, (event: any) => void][]} */
    const handlers = [
      ["pointerdown", (event) => this.onDown(event)],
      ["pointermove", (event) => this.onMove(event)],
      ["pointerup", (event) => this.onUp(event)],
      ["pointercancel", (event) => this.onUp(event)],
      ["lostpointercapture", (event) => this.onUp(event)],
      // A long touch would open a menu, or select, in the middle of a stroke.
      ["contextmenu", (event) => this.press && event.preventDefault()],
      ["touchstart", (event) => event.cancelable && event.preventDefault()],
    ];
    for (const [name, handler] of handlers) {
      this.surface.addEventListener(name, handler, { passive: false });
    }
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    if (event.button !== 0 || this.isPalm(event)) return;
    if (this.press) {
      if (event.pointerType !== "pen" || this.press.pointerType !== "touch") return;
      this.strokes.pop(); // the palm came down before the pen
    }
    this.lift();
    this.press = event;
    this.surface.setPointerCapture(event.pointerId); // the pointer may leave the pad and come back
    this.begin(this.place(event));
  }

  /** @param {Point} point of a new stroke */
  begin(point) {
    this.undone = [];
    this.strokes.push([point]);
    this.changed();
  }

  /** @param {Point[]} points that continue the stroke */
  extend(points) {
    const stroke = this.strokes[this.strokes.length - 1];
    for (const point of points) {
      const [x, y] = stroke[stroke.length - 1];
      if (point[0] !== x || point[1] !== y) stroke.push(point);
    }
    this.changed();
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    if (event.pointerType === "pen") this.lastPen = event.timeStamp;
    if (!this.isOfStroke(event)) return;
    if (event.buttons === 0) return this.onUp(event); // let go where nobody could see it
    // All places since the last frame, so that quick strokes stay round.
    const events = event.getCoalescedEvents?.() ?? [];
    this.extend((events.length ? events : [event]).map((each) => this.place(each)));
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    if (!this.isOfStroke(event)) return;
    this.press = null;
    this.changed();
  }

  /** @param {PointerEvent} event */
  isOfStroke(event) {
    return this.press !== null && event.pointerId === this.press.pointerId;
  }

  /**
   * Whether an event is that of a hand that rests on the screen while a pen draws.
   *
   * @param {PointerEvent} event
   */
  isPalm(event) {
    if (event.pointerType === "pen") this.lastPen = event.timeStamp;
    return event.pointerType === "touch" && event.timeStamp - this.lastPen < PALM_PAUSE;
  }

  /**
   * Where an event is, in units of the pad; beyond its edge the line runs along the edge.
   *
   * @param {PointerEvent} event
   * @returns {Point}
   */
  place(event) {
    const box = this.surface.getBoundingClientRect();
    // A tenth of a unit is more than a hand can tell.
    const clip = (/** @type {number} */ share) =>
      Math.round(Math.min(Math.max(share, 0), 1) * this.size * 10) / 10;
    return [
      clip((event.clientX - box.left) / box.width),
      clip((event.clientY - box.top) / box.height),
    ];
  }

  /** Take the pen off the pad, whoever moves it. */
  lift() {
    cancelAnimationFrame(this.writing);
    this.writing = 0;
    this.keyboard.isDown = false;
    const press = this.press;
    this.press = null; // first, so that losing the capture doesn't count as lifting it by hand
    if (press && this.surface.hasPointerCapture(press.pointerId)) {
      this.surface.releasePointerCapture(press.pointerId);
    }
  }

  changed() {
    this.invitation.hidden = this.strokes.length > 0;
    this.keyboard.show();
    this.ink.show(this.strokes);
    this.onChange(this.strokes, this.isDrawing);
  }
}

/** What shows strokes: a canvas as sharp as the screen, white lines with round ends. */
class Ink {
  /**
   * @param {number} size
   * @param {number} penWidth
   * @param {number} [pixels]
   */
  constructor(size, penWidth, pixels) {
    this.size = size;
    this.penWidth = penWidth;
    this.pixels = pixels;
    /** @type {Stroke[]} */
    this.strokes = [];
    this.canvas = document.createElement("canvas");
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.canvas);
    this.fit();
  }

  /** Give the canvas a pixel for each one of the screen's, also after it was turned or zoomed. */
  fit() {
    const shown = (this.canvas.clientWidth || this.size) * (devicePixelRatio || 1);
    const side = this.pixels ?? Math.round(shown);
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    this.show(this.strokes);
  }

  /** @param {Stroke[]} strokes */
  show(strokes) {
    this.strokes = strokes;
    const { context, canvas, size } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.scale(canvas.width / size, canvas.height / size);
    context.strokeStyle = "white";
    context.lineWidth = size * LINE_WIDTH * this.penWidth;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    strokes.forEach((stroke) => trace(context, stroke));
    context.stroke();
  }

  destroy() {
    this.observer.disconnect();
  }
}

/**
 * Lead a path smoothly along a stroke; a busy page reports the pen a few times a second only, and
 * straight lines between such points would look like a polygon.
 *
 * The curve runs from the middle of one line to the middle of the next, which evens out that places
 * are whole pixels. At a corner it goes to the point itself.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Stroke} stroke
 */
function trace(context, stroke) {
  const last = stroke.length - 1;
  context.moveTo(...stroke[0]);
  for (let i = 1; i < last; i++) {
    const [x, y] = stroke[i];
    const middle = /** @type {Point} */ ([(x + stroke[i + 1][0]) / 2, (y + stroke[i + 1][1]) / 2]);
    if (isCorner(stroke[i - 1], stroke[i], stroke[i + 1])) {
      context.lineTo(x, y);
      context.lineTo(...middle);
    } else {
      context.quadraticCurveTo(x, y, ...middle);
    }
  }
  // A single point is a dot, for the ends are round; but a line of no length would not be drawn.
  const [x, y] = stroke[last];
  context.lineTo(last ? x : x + DOT, y);
}

/**
 * @param {Point} before
 * @param {Point} here
 * @param {Point} after
 */
function isCorner(before, here, after) {
  const [x, y] = [here[0] - before[0], here[1] - before[1]];
  const [nextX, nextY] = [after[0] - here[0], after[1] - here[1]];
  const [length, nextLength] = [Math.hypot(x, y), Math.hypot(nextX, nextY)];
  if (Math.min(length, nextLength) < SHORT) return false;
  return x * nextX + y * nextY < CORNER * length * nextLength;
}

/**
 * When a pen that moves by itself is at each point of a drawing, in milliseconds.
 *
 * @param {Stroke[]} strokes
 */
function timesOfPoints(strokes) {
  let time = -WRITING_PAUSE;
  return strokes.flatMap((stroke) => {
    time += WRITING_PAUSE - WRITING_INTERVAL;
    return stroke.map(() => (time += WRITING_INTERVAL));
  });
}
