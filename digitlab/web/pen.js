/**
 * The drawing pad of a notebook, as far as it is in the page: what the hand draws is seen at once and
 * sent to the kernel, which keeps the strokes, predicts, and draws the ink that stays.
 *
 * Until the kernel has answered, a copy of its canvas with the new ink on it covers that canvas. So
 * there are never two inks on each other, and the change from one to the other can't be seen.
 */

import { Pad } from "./pad.js";
import { makeElement } from "./view.js";

/** @typedef {import("./ink.js").Stroke} Stroke */
/** @typedef {[name: string, x?: number, y?: number]} Action what the pen did: down, move, up, undo */

// Milliseconds without an answer, beyond the connection's own, after which the kernel counts as busy.
const PATIENCE = 300;
// Milliseconds between two messages of a pen that moves: 50 predictions a second look continuous, and
// JupyterLab has much to do for each, as it shows each time that the kernel is busy, then idle again.
const INTERVAL = 20;
const REMINDER = 5000; // milliseconds after which a busy kernel is asked again: an answer may be lost
const CHECKUP = 1000; // milliseconds between two looks at whether there is a kernel
const BUSY = "The kernel is busy. Your drawing waits, and is predicted as soon as it is free.";
const OFFLINE = "The connection to the kernel is lost. What you draw waits until it is back.";
const STOPPED =
  "This pad has stopped: its kernel is gone. To draw again, run the cells again (Run, Run All Cells).";

// What ipycanvas would send to the kernel, and keep from the page.
const CANVAS_EVENTS = ["mousedown", "mousemove", "mouseup", "mouseout", "wheel", "keydown"];
const TOUCH_EVENTS = ["touchstart", "touchmove", "touchend", "touchcancel"];

const STYLE = `
  :host, canvas, .digitlab-invitation {
    position: absolute; inset: 0; border-radius: inherit; pointer-events: none;
  }
  canvas { width: 100%; height: 100%; }
  .digitlab-invitation { display: grid; place-items: center; color: #9a9a9a; }
  .digitlab-cursor {
    position: absolute; width: 22px; height: 22px; margin: -11px; box-sizing: border-box;
    border: 2px solid #35e0b0; border-radius: 50%;
  }
  .digitlab-down { background: #35e0b0; }
  [hidden] { display: none; }
`;

class Pen {
  /**
   * @param {any} model of the widget
   * @param {any} sender the model of the canvas, over whose connection the kernel is told
   * @param {HTMLElement} root the whole pad's
   */
  constructor(model, sender, root) {
    this.model = model;
    this.sender = sender;
    this.root = root;
    this.view = Math.random().toString(36).slice(2); // the same pad may be on several pages
    /** @type {Action[]} */
    this.outbox = [];
    this.sent = 0; // how many messages
    this.trip = Infinity; // the shortest time that an answer has taken, in milliseconds
    /** @type {{number: number, time: number}[]} messages without an answer */
    this.open = [];
    /** @type {{stroke: Stroke, length: number}[]} local strokes; how many points the outbox had */
    this.known = [];
    this.wasDrawing = false;
    this.lastSent = -Infinity; // when, in milliseconds
    this.timer = 0; // sends the outbox; 0 if nothing is due
    this.isCovering = false; // whether the kernel's canvas is covered by its copy
    this.canvas = /** @type {HTMLCanvasElement} */ (root.querySelector("canvas"));
    this.build();
    this.listen();
    this.refresh();
  }

  build() {
    const host = makeElement("div");
    // Closed: to the page, the pad has one canvas, that of ipycanvas.
    const shadow = host.attachShadow({ mode: "closed" });
    const style = document.createElement("style");
    style.textContent = STYLE;
    this.copy = document.createElement("canvas");
    this.copy.hidden = true;
    this.copy.style.background = "#000";
    this.copy.width = this.copy.height = this.canvas.width;
    shadow.append(style, this.copy);
    this.host = host;
    this.pad = new Pad(/** @type {any} */ (shadow), {
      size: this.model.get("size"),
      penWidth: this.model.get("width"),
      surface: this.canvas,
      pixels: this.canvas.width,
      onChange: (strokes, isDrawing) => this.onInk(strokes, isDrawing),
    });
    // JupyterLab would take the arrow keys, and delete the cell at "d d".
    this.canvas.dataset.lmSuppressShortcuts = "true";
    // Backspace and Delete on the canvas do what the buttons do.
    this.pad.undo = () => this.button("undo").click();
    this.pad.clear = () => this.button("clear").click();
    this.canvas.after(host);
  }

  listen() {
    const around = /** @type {HTMLElement} */ (this.canvas.parentElement);
    for (const name of [...CANVAS_EVENTS, ...TOUCH_EVENTS]) {
      around.addEventListener(name, (event) => this.keepFromCanvas(event), { capture: true, passive: false });
    }
    // What the pen did before a button is pressed is sent before it.
    this.root.addEventListener("click", () => this.flush({ now: true }), { capture: true });
    this.root.addEventListener("click", (event) => this.onClick(event));
    this.model.on("msg:custom", (/** @type {any} */ message) => this.onAnswer(message));
    this.model.on("change:width", () => this.refresh());
    this.model.on("change:blank", () => this.refresh());
    // ipywidgets marks what has lost its kernel by a class.
    this.observer = new MutationObserver(() => this.look());
    this.observer.observe(this.root, { attributes: true, attributeFilter: ["class"] });
    this.checkup = setInterval(() => this.checkUp(), CHECKUP);
  }

  destroy() {
    clearInterval(this.checkup);
    clearTimeout(this.timer);
    this.observer.disconnect();
    this.pad.destroy();
    this.host.remove();
  }

  /**
   * Events that a program made go on to ipycanvas, which can be drawn on by them.
   *
   * @param {Event} event
   */
  keepFromCanvas(event) {
    if (!event.isTrusted || event.target !== this.canvas) return;
    event.stopPropagation();
    if (event instanceof KeyboardEvent) this.onKey(event);
    if (event.type === "touchstart" && event.cancelable) event.preventDefault(); // no long-press menu
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key === "Escape" && !this.pad.keyboard.point) this.canvas.blur();
    else this.pad.keyboard.onKey(event);
  }

  /** @param {string} name */
  button(name) {
    return /** @type {HTMLElement} */ (this.root.querySelector(`.digitlab-${name}`));
  }

  // --- to the kernel ------------------------------------------------------------------------------

  /**
   * Note what is new of the local strokes. A pen that comes or goes is sent at once, so that whatever
   * the page sends next arrives after it; its moves are sent from time to time.
   *
   * @param {Stroke[]} strokes
   * @param {boolean} isDrawing
   */
  onInk(strokes, isDrawing) {
    if (strokes.length) this.cover();
    while (this.known.some(({ stroke }, i) => stroke !== strokes[i])) {
      this.known.pop(); // of a palm that came before the pen
      this.outbox.push(["undo"]);
    }
    strokes.forEach((stroke, i) => {
      this.known[i] ??= { stroke, length: 0 };
      for (let k = this.known[i].length; k < stroke.length; k++) {
        this.outbox.push([k ? "move" : "down", ...stroke[k]]);
      }
      this.known[i].length = stroke.length;
    });
    if (this.wasDrawing && !isDrawing) this.outbox.push(["up"]);
    if (this.wasDrawing !== isDrawing) this.flush();
    else this.schedule();
    this.wasDrawing = isDrawing;
  }

  /** Send the outbox, but not too soon after the last message. */
  schedule() {
    const pause = INTERVAL - (performance.now() - this.lastSent);
    if (this.outbox.length) this.timer ||= setTimeout(() => this.flush(), Math.max(0, pause));
  }

  /**
   * Send the outbox. While the kernel is behind, it waits: one long message is handled faster than
   * many short ones, and no queue of old drawings comes about.
   */
  flush({ now = false } = {}) {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.outbox.length && (now || !this.isBehind())) this.send(this.outbox.splice(0));
  }

  /** Whether more messages wait for an answer than can be on their way. */
  isBehind() {
    return this.isLate() || this.open.length > Math.ceil(this.way / INTERVAL);
  }

  /** @param {Action[]} actions */
  send(actions) {
    const number = ++this.sent;
    this.lastSent = performance.now();
    this.open.push({ number, time: this.lastSent });
    this.sender.send({ event: "pen", view: this.view, number, actions });
    setTimeout(() => this.look(), this.patience + 1);
  }

  /** Whether an answer takes longer than it would if the kernel were free. */
  isLate() {
    return this.open.length > 0 && performance.now() - this.open[0].time >= this.patience;
  }

  get patience() {
    return PATIENCE + this.way;
  }

  /** Milliseconds that the connection takes, as far as is known. */
  get way() {
    return Number.isFinite(this.trip) ? this.trip : 0;
  }

  /** @param {any} message */
  onAnswer(message) {
    if (message?.view !== this.view) return;
    const asked = this.open.find(({ number }) => number === message.number);
    if (asked) this.trip = Math.min(this.trip, performance.now() - asked.time);
    this.open = this.open.filter(({ number }) => number > message.number);
    this.schedule();
    this.look();
    // Two frames: in the first, at the latest, ipycanvas draws what came before the answer.
    requestAnimationFrame(() => requestAnimationFrame(() => this.uncover()));
  }

  /**
   * Do in the page, too, what a button does in the kernel, and ask for an answer.
   *
   * @param {MouseEvent} event
   */
  onClick(event) {
    const control = /** @type {Element} */ (event.target).closest("button, input")?.classList;
    if (!control) return;
    if (["digitlab-clear", "digitlab-example"].some((name) => control.contains(name))) this.wipe();
    else if (control.contains("digitlab-undo")) this.show(this.known.slice(0, -1).map(({ stroke }) => stroke));
    this.send([]);
  }

  // --- local ink ----------------------------------------------------------------------------------

  /** Cover the kernel's canvas with a copy of it, for ink to be laid on. */
  cover() {
    if (this.isCovering) return;
    this.isCovering = true;
    this.draw((context) => context.drawImage(this.canvas, 0, 0));
    this.copy.hidden = false;
  }

  /** @param {(context: CanvasRenderingContext2D) => void} [picture] */
  draw(picture) {
    const context = this.copy.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    picture?.(context);
  }

  /** Show an empty pad. */
  wipe() {
    this.cover();
    this.draw();
    this.show([]);
    this.pad.invitation.hidden = false;
  }

  /**
   * Show these local strokes, the pen lifted.
   *
   * @param {Stroke[]} strokes
   */
  show(strokes) {
    this.known = strokes.map((stroke) => ({ stroke, length: stroke.length }));
    this.wasDrawing = false;
    this.pad.lift();
    this.pad.strokes = strokes;
    this.pad.changed();
  }

  /** Show the kernel's canvas again, once it has all that was drawn here. */
  uncover() {
    if (this.open.length || this.outbox.length || this.pad.isDrawing) return;
    if (!this.isCovering) return;
    this.isCovering = false;
    this.show([]);
    this.copy.hidden = true;
    this.draw();
    this.refresh();
  }

  /** Take over what the kernel has changed. */
  refresh() {
    this.pad.ink.penWidth = this.model.get("width");
    if (this.isCovering) return;
    this.pad.invitation.hidden = !this.model.get("blank") || this.hasStopped();
  }

  // --- the kernel's health ------------------------------------------------------------------------

  /** Look from time to time, whatever happens on the page. */
  checkUp() {
    const last = this.open.at(-1);
    if (last && performance.now() - last.time >= REMINDER) this.send(this.outbox.splice(0));
    this.look();
  }

  /** Say in the read-out what is the matter with the kernel, if anything is. */
  look() {
    const hasStopped = this.hasStopped();
    if (hasStopped && !this.root.classList.contains("digitlab-stopped")) this.drop();
    const matter = hasStopped ? STOPPED : this.isOffline() ? OFFLINE : this.isLate() ? BUSY : "";
    this.root.classList.toggle("digitlab-stopped", hasStopped);
    this.root.classList.toggle("digitlab-waiting", matter !== "" && !hasStopped);
    for (const part of this.root.querySelectorAll(".digitlab-left")) {
      /** @type {HTMLElement} */ (part).inert = hasStopped;
    }
    this.say(matter);
    this.refresh();
  }

  hasStopped() {
    if (this.root.classList.contains("jupyter-widgets-disconnected")) return true;
    const manager = this.model.widget_manager;
    // JupyterLab and Notebook tell; elsewhere there is no such property.
    if (!manager || !("kernel" in manager)) return false;
    return !manager.kernel || manager.kernel.isDisposed || manager.kernel.status === "dead";
  }

  isOffline() {
    // Not navigator.onLine: without a network, a kernel on this machine can be reached all the same.
    return (this.model.widget_manager?.kernel?.connectionStatus ?? "connected") !== "connected";
  }

  /** Let go of what nobody will keep. */
  drop() {
    this.open = [];
    this.outbox = [];
    this.pad.lift();
    this.uncover();
  }

  /**
   * Put a sentence into the read-out; the style sheet hides the kernel's own as long as it is there.
   *
   * @param {string} sentence
   */
  say(sentence) {
    const readout = this.root.querySelector(".digitlab-prediction");
    if (!readout) return;
    let matter = readout.querySelector(".digitlab-matter");
    if (!matter) readout.append((matter = makeElement("div", "digitlab-matter")));
    if (matter.textContent !== sentence) matter.textContent = sentence;
  }
}

/**
 * The pad that a part is in, once the page shows it with its canvas; null if it never does.
 *
 * @param {HTMLElement} element
 * @param {AbortSignal} signal
 * @returns {Promise<HTMLElement | null>}
 */
async function whenShown(element, signal) {
  while (!signal.aborted) {
    const root = /** @type {HTMLElement | null} */ (element.closest(".digitlab-drawpad"));
    if (root?.querySelector("canvas")) return root;
    await new Promise((next) => requestAnimationFrame(next));
  }
  return null;
}

export default {
  /** @param {{model: any, el: HTMLElement, signal: AbortSignal}} view */
  async render({ model, el, signal }) {
    const root = await whenShown(el, signal);
    if (!root) return;
    const sender = await model.widget_manager.get_model(model.get("canvas").replace("IPY_MODEL_", ""));
    const pen = new Pen(model, sender, root);
    signal.addEventListener("abort", () => pen.destroy());
  },
};
