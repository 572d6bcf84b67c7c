/**
 * The network in a notebook: every layer of it for the picture that the kernel sends, and the sum
 * that one of its units is. The kernel sends the weights once a network, then 784 pixels a picture.
 */

import { ALL, Layers } from "./layers.js";
import { Network } from "./network.js";
import { unpackNetwork } from "./unpack.js";
import { makeElement, predictionSentence } from "./view.js";

/** @typedef {import("./unit.js").Unit} Unit */

const LEGEND = "Each square is a number: black is 0, warm is positive, blue is negative.";
const NO_PICTURE = "There is no picture yet.";
const TOO_OLD = "The network can't be unpacked; a newer browser can.";

// Colours come from the notebook's theme, and where there is none, from the browser's.
const STYLE = `
  :host {
    display: block;
    --surface: var(--jp-layout-color1, Canvas);
    --text: var(--jp-content-font-color1, CanvasText);
    --soft: var(--jp-content-font-color2, GrayText);
    --line: var(--jp-border-color1, rgb(128 128 128 / 50%));
    --track: var(--jp-layout-color2, rgb(128 128 128 / 20%));
    --accent: var(--jp-brand-color1, #2a5bd7);
    --mark: #35e0b0;
    padding: 8px 4px 16px;
    color: var(--text);
    font: 14px/1.45 var(--jp-ui-font-family, system-ui, sans-serif);
  }
  *, ::before, ::after { box-sizing: border-box; }
  h3, p, figure, ol, dl, dd { margin: 0; padding: 0; }
  ol { list-style: none; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
  .digitlab-said { display: flex; flex-wrap: wrap; gap: 0 16px; align-items: baseline; }
  .digitlab-said p { color: var(--soft); }
  .digitlab-said b { min-width: 12em; font-size: 17px; }
  .digitlab-layers { gap: 16px 12px; max-width: 700px; }
  .digitlab-image { --unit: 2px; }
  @container (min-width: 1060px) {
    .digitlab-layers { flex-wrap: nowrap; justify-content: space-between; max-width: 1300px; }
    .digitlab-conv2, .digitlab-pool2 { --unit: 1.5px; }
  }
  @container (min-width: 1200px) {
    .digitlab-conv2, .digitlab-pool2 { --unit: 2px; }
  }
  .digitlab-panel { padding: 14px 18px; }
`;

class NetworkView {
  /**
   * @param {any} model of the widget
   * @param {HTMLElement} host
   */
  constructor(model, host) {
    this.model = model;
    /** @type {Layers | null} null until the first network is unpacked */
    this.layers = null;
    this.frame = 0; // the one in which the picture is shown next; 0 if none is asked for
    const style = makeElement("style", "", model.get("css") + STYLE);
    this.sentence = makeElement("b");
    const said = makeElement("div", "digitlab-said");
    said.append(this.sentence, makeElement("p", "", LEGEND));
    this.squares = makeElement("div", "digitlab-layers");
    this.panel = makeElement("div", "digitlab-panel");
    const section = makeElement("section", "digitlab-network");
    section.setAttribute("aria-label", "The network, layer by layer");
    section.append(said, this.squares, this.panel);
    host.attachShadow({ mode: "open" }).append(style, section);
  }

  /** Take the kernel's network in place of the one before. */
  async unpack() {
    const packed = this.model.get("network");
    let data;
    try {
      data = await unpackNetwork(packed);
    } catch (error) {
      this.sentence.textContent = TOO_OLD;
      throw error;
    }
    if (packed !== this.model.get("network")) return; // meanwhile there is another one
    const network = new Network(data);
    if (this.layers) {
      this.layers.network = network;
      this.layers.show(false); // its numbers have a scale of their own
    } else {
      this.layers = new Layers(this.squares, this.panel, network, ALL);
      this.layers.onHold = (unit) => this.tell(unit);
    }
    this.show();
    this.holdUnit();
  }

  /** Show the kernel's picture in the next frame: once, however many come until then. */
  askToShow() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.show();
    });
  }

  show() {
    if (!this.layers) return;
    const image = pixels(this.model.get("pixels"));
    const prediction = image && this.layers.network.predict(image);
    this.layers.show(prediction !== null);
    this.sentence.textContent = prediction ? predictionSentence(prediction) : NO_PICTURE;
  }

  /** Hold the unit that the kernel, or another view of the same widget, has chosen. */
  holdUnit() {
    const unit = this.model.get("held");
    if (!this.layers || isSame(unit, this.layers.isHeld ? this.layers.unit : null)) return;
    if (unit) this.layers.reach(unit);
    else this.layers.select(null, false);
  }

  /** @param {Unit | null} unit */
  tell(unit) {
    if (isSame(unit, this.model.get("held"))) return;
    this.model.set("held", unit);
    this.model.save_changes();
  }
}

/**
 * @param {DataView} bytes 784 numbers of 32 bits, or none
 * @returns {Float32Array | null}
 */
function pixels({ buffer, byteOffset, byteLength }) {
  // A copy: within the message they need not begin where a Float32Array may.
  const copy = buffer.slice(byteOffset, byteOffset + byteLength);
  return byteLength ? new Float32Array(/** @type {ArrayBuffer} */ (copy)) : null;
}

/**
 * @param {Unit | null} one
 * @param {Unit | null} other
 */
function isSame(one, other) {
  return one?.layer === other?.layer && one?.index === other?.index;
}

export default {
  /** @param {{model: any, el: HTMLElement, signal: AbortSignal}} view */
  async render({ model, el, signal }) {
    const host = makeElement("div");
    // JupyterLab would take the arrow keys, and go to another cell.
    host.setAttribute("data-lm-suppress-shortcuts", "true");
    el.append(host);
    const view = new NetworkView(model, host);
    const listeners = {
      "change:network": () => view.unpack(),
      "change:pixels": () => view.askToShow(),
      "change:held": () => view.holdUnit(),
    };
    for (const [event, listener] of Object.entries(listeners)) {
      model.on(event, listener);
      signal.addEventListener("abort", () => model.off(event, listener));
    }
    await view.unpack();
  },
};
