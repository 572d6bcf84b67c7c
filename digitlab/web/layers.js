/**
 * The whole network, live: every number of every layer as a square, and the parts of the one that
 * is pointed at, tapped, or reached by keyboard.
 */

import { pixelOf } from "./colors.js";
import { ORIGINS, UnitView, heaviest, placeInMap, takeApart, unitName } from "./unit.js";
import { makeElement, percent } from "./view.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./unit.js").LayerName} LayerName */
/** @typedef {import("./unit.js").Unit} Unit */

/**
 * How a layer is laid out: `count` maps of `side` by `side` squares, in `columns`.
 *
 * @typedef {object} Layout
 * @property {LayerName} name
 * @property {number} count
 * @property {number} side
 * @property {number} columns
 * @property {number} zoom pixels of the canvas along a square
 * @property {number} [scale] how large such a pixel is, beside those of the other layers
 * @property {string} title
 * @property {string} made how it is made from the layer before it
 * @property {(index: number, value: number) => string} [label] what stands beside each number
 */

/** @type {Object<string, Layout>} each about as high as the others */
const LAYOUTS = {
  image: {
    name: "image",
    count: 1,
    side: 28,
    columns: 1,
    zoom: 2,
    title: "28 × 28 pixels",
    made: "your digit, scaled and centred",
  },
  conv1: {
    name: "conv1",
    count: 32,
    side: 28,
    columns: 4,
    zoom: 1,
    scale: 0.5,
    title: "conv1",
    made: "32 maps of 28 × 28, after ReLU",
  },
  pool1: {
    name: "pool1",
    count: 32,
    side: 14,
    columns: 4,
    zoom: 1,
    title: "32 maps",
    made: "convolution 3 × 3, ReLU, pooling",
  },
  conv2: {
    name: "conv2",
    count: 64,
    side: 14,
    columns: 8,
    zoom: 1,
    title: "conv2",
    made: "64 maps of 14 × 14, after ReLU",
  },
  pool2: {
    name: "pool2",
    count: 64,
    side: 7,
    columns: 8,
    zoom: 2,
    title: "64 maps",
    made: "convolution 3 × 3, ReLU, pooling",
  },
  fc1: {
    name: "fc1",
    count: 128,
    side: 1,
    columns: 8,
    zoom: 14,
    scale: 0.5,
    title: "128 units",
    made: "fully connected, ReLU",
  },
  logits: {
    name: "logits",
    count: 10,
    side: 1,
    columns: 1,
    zoom: 11,
    title: "10 logits",
    made: "fully connected",
    label: String,
  },
  probabilities: {
    name: "probabilities",
    count: 10,
    side: 1,
    columns: 1,
    zoom: 11,
    title: "softmax",
    made: "10 probabilities",
    label: (_, value) => percent(value),
  },
};

const { image, conv1, pool1, conv2, pool2, fc1, logits, probabilities } = LAYOUTS;
/** The layers that a visitor of the page sees: after pooling, and without softmax. */
const FEW = [image, pool1, pool2, fc1, logits];
/** Every layer, by its name in the code that a notebook explains. */
export const ALL = [
  { ...image, title: "image", made: "28 × 28 pixels" },
  conv1,
  { ...pool1, title: "pool1", made: "32 maps of 14 × 14: the largest of each 2 × 2" },
  conv2,
  { ...pool2, title: "pool2", made: "64 maps of 7 × 7: the largest of each 2 × 2" },
  { ...fc1, title: "fc1", made: "128 units, after ReLU" },
  { ...logits, title: "fc2", made: "10 logits" },
  probabilities,
];

const GAP = 1; // pixels of the canvas between two maps

export class Layers {
  /**
   * @param {HTMLElement} element what to put the layers into
   * @param {HTMLElement} panel what to show a unit's parts in
   * @param {Network} network
   * @param {Layout[]} layouts which layers, and how
   */
  constructor(element, panel, network, layouts = FEW) {
    this.element = element;
    this.network = network;
    this.unitView = new UnitView(panel, () => this.select(null, false));
    /** @type {Unit | null} the one whose parts are shown */
    this.unit = null;
    this.isHeld = false; // whether it stays when the mouse moves on
    /** @type {(unit: Unit | null) => void} told which unit is held, or that none is any more */
    this.onHold = () => {};
    this.isBlank = true;
    this.views = layouts.map(
      (layout) =>
        new LayerView(layout, (index, isHeld) => {
          this.select({ layer: layout.name, index }, isHeld);
        }),
    );
    element.append(...this.views.map((view) => view.element));
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.select(null, false);
    });
    this.show(false);
  }

  /**
   * Show the numbers of the network's latest prediction.
   *
   * @param {boolean} hasDrawing false: there is none, and all is dark
   */
  show(hasDrawing) {
    this.isBlank = !hasDrawing;
    this.element.classList.toggle("digitlab-empty", !hasDrawing);
    for (const view of this.views) {
      const values = this.network.layers[view.layout.name];
      view.show(hasDrawing ? values : null);
    }
    this.showUnit();
  }

  /**
   * @param {Unit | null} unit
   * @param {boolean} isHeld as by a click; what the mouse passes doesn't take its place
   */
  select(unit, isHeld) {
    if (this.isHeld && unit && !isHeld) return;
    const wasHeld = this.isHeld;
    this.unit = unit;
    this.isHeld = isHeld;
    this.showUnit();
    if (isHeld || wasHeld) this.onHold(isHeld ? unit : null);
  }

  /**
   * Hold a unit, as if the keyboard had reached it.
   *
   * @param {Unit} unit
   */
  reach({ layer, index }) {
    this.views.find((view) => view.layout.name === layer)?.reach(index);
  }

  showUnit() {
    const unit = this.isBlank ? null : this.unit;
    this.unitView.show(this.network, unit);
    const sources = unit ? sourcesOf(this.network, unit) : {};
    for (const view of this.views) {
      const isOwn = unit !== null && view.layout.name === unit.layer;
      const marks = isOwn ? [{ index: unit.index, extent: 1 }] : sources[view.layout.name];
      view.mark(marks ?? [], isOwn);
    }
  }
}

/** @typedef {{index: number, extent: number}} Mark a frame, `extent` squares along each side */

/**
 * Which squares of the layers before a unit comes from, by the layer: 3×3 of the maps, or single
 * ones.
 *
 * @param {Network} network
 * @param {Unit} unit
 * @returns {Object<string, Mark[]>}
 */
function sourcesOf(network, { layer, index }) {
  if (layer === "image") return {};
  if (layer === "probabilities") return { logits: [{ index, extent: 1 }] };
  const { from, size, pooled, weights } = ORIGINS[layer];
  const parts = takeApart(network, { layer, index });
  if (!parts.winner) {
    return { [from]: heaviest(parts, 1).map(({ first }) => ({ index: first, extent: 1 })) };
  }
  const { row, column } = parts.winner;
  const at = (/** @type {number} */ map) => (map * size + row) * size + column;
  const marks = heaviest(parts, 9).map(({ first }) => ({ index: at(first / 9), extent: 3 }));
  if (!pooled) return { [from]: marks };
  const { map } = placeInMap(index, size / 2);
  return { [from]: marks, [weights]: [{ index: at(map), extent: 1 }] };
}

/** One layer: a canvas with all its maps, and the frames around some of its squares. */
class LayerView {
  /**
   * @param {Layout} layout
   * @param {(index: number, isHeld: boolean) => void} onSelect
   */
  constructor(layout, onSelect) {
    this.layout = layout;
    this.onSelect = onSelect;
    this.tile = layout.side * layout.zoom + GAP; // from one map to the next
    this.rows = layout.count / layout.columns;
    this.brightest = 1e-6; // the largest number since the pad was empty
    this.current = 0; // the square that the keyboard has reached
    /** @type {Float32Array | null} */
    this.values = null;
    this.canvas = document.createElement("canvas");
    this.canvas.width = layout.columns * this.tile + GAP;
    this.canvas.height = this.rows * this.tile + GAP;
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.marks = makeElement("div", "digitlab-marks");
    this.labels = makeElement("ol", "digitlab-labels");
    this.element = this.build();
    this.listen();
  }

  build() {
    const { name, title, made, count, scale = 1 } = this.layout;
    // To a screen reader a layer is a slider: arrow keys go from map to map, and each is named.
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "slider");
    this.canvas.setAttribute("aria-label", `${title}: ${made}`);
    this.canvas.setAttribute("aria-valuemin", "1");
    this.canvas.setAttribute("aria-valuemax", String(count));
    this.canvas.setAttribute("aria-valuenow", "1");
    const frame = makeElement("div", "digitlab-frame");
    frame.style.setProperty("--columns", String(this.canvas.width * scale));
    frame.append(this.canvas, this.marks);
    const caption = makeElement("figcaption");
    caption.append(makeElement("b", "", title), makeElement("span", "", made));
    const figure = makeElement("figure", `digitlab-layer digitlab-${name}`);
    if (this.layout.label) {
      this.labels.append(...Array.from({ length: count }, () => makeElement("li")));
      frame.append(this.labels);
    }
    figure.append(frame, caption);
    return figure;
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.point(event, false);
    });
    canvas.addEventListener("click", (event) => this.point(event, true));
    canvas.addEventListener("focus", () => {
      if (canvas.matches(":focus-visible")) this.reach(this.current);
    });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  /**
   * @param {MouseEvent} event
   * @param {boolean} isHeld
   */
  point(event, isHeld) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height;
    this.current = this.indexAt(x, y);
    this.onSelect(this.current, isHeld);
  }

  /**
   * The square at a place of the canvas, or next to it.
   *
   * @param {number} x
   * @param {number} y
   */
  indexAt(x, y) {
    const { side, zoom, columns } = this.layout;
    const limit = (/** @type {number} */ place, /** @type {number} */ count) =>
      Math.min(Math.max(Math.floor(place), 0), count - 1);
    const mapColumn = limit((x - GAP) / this.tile, columns);
    const mapRow = limit((y - GAP) / this.tile, this.rows);
    const column = limit((x - GAP - mapColumn * this.tile) / zoom, side);
    const row = limit((y - GAP - mapRow * this.tile) / zoom, side);
    return ((mapRow * columns + mapColumn) * side + row) * side + column;
  }

  /**
   * Arrow keys go from map to map, to the largest number of each; with Shift from square to square.
   *
   * @param {KeyboardEvent} event
   */
  onKey(event) {
    const { side, columns, count } = this.layout;
    const isMove = /** @type {Object<string, [number, number]>} */ ({
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    })[event.key];
    const { map, row, column } = placeInMap(this.current, side);
    if (event.key === "Enter" || event.key === " ") {
      this.reach(this.current);
    } else if (event.key === "Home" || event.key === "End") {
      this.reach(this.largestIn(event.key === "Home" ? 0 : count - 1));
    } else if (!isMove) {
      return;
    } else if (side > 1 && (event.shiftKey || count === 1)) {
      const limit = (/** @type {number} */ place) => Math.min(Math.max(place, 0), side - 1);
      this.reach((map * side + limit(row + isMove[1])) * side + limit(column + isMove[0]));
    } else {
      const next = map + isMove[0] + columns * isMove[1];
      if (next >= 0 && next < count) this.reach(this.largestIn(next));
    }
    event.preventDefault(); // the page would scroll
  }

  /** @param {number} map */
  largestIn(map) {
    const area = this.layout.side ** 2;
    const numbers = this.values?.subarray(map * area, (map + 1) * area) ?? new Float32Array(area);
    return map * area + numbers.indexOf(Math.max(...numbers));
  }

  /** @param {number} index */
  reach(index) {
    this.current = index;
    const { map } = placeInMap(index, this.layout.side);
    const value = this.values ? `: ${this.values[index].toFixed(2)}` : "";
    this.canvas.setAttribute("aria-valuenow", String(map + 1));
    this.canvas.setAttribute(
      "aria-valuetext",
      unitName({ layer: this.layout.name, index }) + value,
    );
    this.onSelect(index, true);
  }

  /** @param {Float32Array | null} values null: all dark */
  show(values) {
    this.values = values;
    // As long as one draws, a shade means the same number: it doesn't flicker.
    this.brightest = values
      ? values.reduce((most, v) => Math.max(most, Math.abs(v)), this.brightest)
      : 1e-6;
    const { count, side, columns, zoom } = this.layout;
    for (let map = 0; map < count; map++) {
      const left = GAP + (map % columns) * this.tile;
      const top = GAP + Math.floor(map / columns) * this.tile;
      for (let y = 0; y < side * zoom; y++) {
        const start = (top + y) * this.canvas.width + left;
        const first = (map * side + Math.floor(y / zoom)) * side;
        for (let x = 0; x < side * zoom; x++) {
          const value = values ? values[first + Math.floor(x / zoom)] : 0;
          this.pixels[start + x] = pixelOf(value / this.brightest);
        }
      }
    }
    this.context.putImageData(this.image, 0, 0);
    for (const [index, label] of [...this.labels.children].entries()) {
      label.textContent = this.layout.label?.(index, values?.[index] ?? 0) ?? "";
    }
  }

  /**
   * Put frames around squares.
   *
   * @param {Mark[]} marks
   * @param {boolean} isOwn whether this is the unit itself, not one that it comes from
   */
  mark(marks, isOwn) {
    while (this.marks.childElementCount < marks.length) this.marks.append(makeElement("i"));
    while (this.marks.childElementCount > marks.length) this.marks.lastElementChild?.remove();
    marks.forEach(({ index, extent }, i) => {
      const { side, zoom, columns } = this.layout;
      const { map, row, column } = placeInMap(index, side);
      const reach = (extent - 1) / 2;
      const left = GAP + (map % columns) * this.tile + (column - reach) * zoom;
      const top = GAP + Math.floor(map / columns) * this.tile + (row - reach) * zoom;
      const frame = /** @type {HTMLElement} */ (this.marks.children[i]);
      frame.className = isOwn ? "digitlab-own" : "";
      frame.style.left = `${(100 * left) / this.canvas.width}%`;
      frame.style.top = `${(100 * top) / this.canvas.height}%`;
      frame.style.width = `${(100 * extent * zoom) / this.canvas.width}%`;
      frame.style.height = `${(100 * extent * zoom) / this.canvas.height}%`;
    });
  }
}
