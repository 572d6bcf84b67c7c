/**
 * What one unit of the network is made of: each of its inputs times a weight, all products and the
 * bias added up; then ReLU. Computed here a second time, from the inputs, so that it can be shown.
 */

import { cellColors } from "./colors.js";
import { makeElement } from "./view.js";

/** @typedef {import("./network.js").Network} Network */

/**
 * @typedef {"image" | "conv1" | "pool1" | "conv2" | "pool2" | "fc1" | "logits" | "probabilities"}
 *   LayerName
 */

/**
 * @typedef {object} Unit
 * @property {LayerName} layer
 * @property {number} index in the layer's array
 */

/**
 * @typedef {object} Parts
 * @property {Float32Array} inputs
 * @property {Float32Array} weights as many
 * @property {Float32Array} products input times weight
 * @property {number} sum of all products
 * @property {number} bias
 * @property {number} total sum and bias
 * @property {number} value after ReLU, where there is one
 * @property {{row: number, column: number}} [winner] of a map: its place, before pooling
 */

/**
 * How a layer is made from the one before it; a pooled one from that before its convolution.
 *
 * @typedef {object} Origin
 * @property {"image" | "pool1" | "pool2" | "fc1"} from
 * @property {string} weights the name of its weights
 * @property {number} size of the maps that are convolved; 0 where every input is weighed
 * @property {boolean} pooled whether the largest of each 2×2 is kept
 * @property {boolean} relu whether what is below 0 becomes 0
 */

/** @type {Object<string, Origin>} */
export const ORIGINS = {
  conv1: { from: "image", weights: "conv1", size: 28, pooled: false, relu: true },
  pool1: { from: "image", weights: "conv1", size: 28, pooled: true, relu: true },
  conv2: { from: "pool1", weights: "conv2", size: 14, pooled: false, relu: true },
  pool2: { from: "pool1", weights: "conv2", size: 14, pooled: true, relu: true },
  fc1: { from: "pool2", weights: "fc1", size: 0, pooled: false, relu: true },
  logits: { from: "fc1", weights: "fc2", size: 0, pooled: false, relu: false },
};

/** @type {Object<string, {count: number, side: number}>} */
const MAPS = {
  conv1: { count: 32, side: 28 },
  pool1: { count: 32, side: 14 },
  conv2: { count: 64, side: 14 },
  pool2: { count: 64, side: 7 },
};

/** What else there is to say of a layer's units. */
const NORMALISED = "The pixels are normalised: black is −0.42.";
const LARGEST = "It is the largest of four neighbours: 2 × 2 max pooling keeps only this one.";
/** @type {Object<string, string[]>} */
const REMARKS = {
  conv1: [NORMALISED],
  pool1: [NORMALISED, LARGEST],
  conv2: [],
  pool2: [LARGEST],
  fc1: [],
  logits: ["Softmax makes probabilities of the ten logits."],
};

const SHOWN = 5; // inputs, or maps, that are listed; the others are added up

/**
 * Take a unit apart.
 *
 * @param {Network} network with the numbers of its latest prediction
 * @param {Unit} unit of a layer that has weights
 * @returns {Parts}
 */
export function takeApart(network, unit) {
  const origin = ORIGINS[unit.layer];
  const inputs = origin.from === "image" ? network.normalized : network.layers[origin.from];
  const weights = network.weights[`${origin.weights}.weight`];
  const bias = network.weights[`${origin.weights}.bias`];
  if (origin.size === 0) {
    const own = weights.subarray(unit.index * inputs.length, (unit.index + 1) * inputs.length);
    return addUp(inputs, own, bias[unit.index], origin.relu);
  }
  const { map, row, column } = placeInMap(unit.index, MAPS[unit.layer].side);
  const count = (9 * inputs.length) / origin.size ** 2; // 3×3 of each input map
  const own = weights.subarray(map * count, (map + 1) * count);
  // Max pooling has kept the largest of four.
  const places = origin.pooled
    ? [0, 1, 2, 3].map((i) => ({ row: 2 * row + (i >> 1), column: 2 * column + (i & 1) }))
    : [{ row, column }];
  const sums = places.map((winner) => {
    const patch = patchAround(inputs, origin.size, winner);
    return { ...addUp(patch, own, bias[map], origin.relu), winner };
  });
  return sums.reduce((best, each) => (each.total > best.total ? each : best));
}

/**
 * @param {number} index
 * @param {number} size of the maps
 */
export function placeInMap(index, size) {
  const inMap = index % size ** 2;
  return {
    map: Math.floor(index / size ** 2),
    row: Math.floor(inMap / size),
    column: inMap % size,
  };
}

/**
 * @param {Float32Array} inputs
 * @param {Float32Array} weights
 * @param {number} bias
 * @param {boolean} hasRelu
 * @returns {Parts}
 */
function addUp(inputs, weights, bias, hasRelu) {
  const products = inputs.map((input, i) => input * weights[i]);
  const sum = products.reduce((total, product) => total + product, 0);
  const total = sum + bias;
  return {
    inputs,
    weights,
    products,
    sum,
    bias,
    total,
    value: hasRelu ? Math.max(total, 0) : total,
  };
}

/**
 * The 3×3 numbers around a place, of every map; 0 beyond the edge.
 *
 * @param {Float32Array} maps
 * @param {number} size
 * @param {{row: number, column: number}} place
 */
function patchAround(maps, size, place) {
  const patch = new Float32Array((9 * maps.length) / size ** 2);
  for (let i = 0; i < patch.length; i++) {
    const row = place.row + Math.floor((i % 9) / 3) - 1;
    const column = place.column + (i % 3) - 1;
    const isInside = row >= 0 && row < size && column >= 0 && column < size;
    if (isInside) patch[i] = maps[(Math.floor(i / 9) * size + row) * size + column];
  }
  return patch;
}

/**
 * What a unit is called.
 *
 * @param {Unit} unit
 */
export function unitName({ layer, index }) {
  if (layer === "fc1") return `Unit ${index + 1} of 128`;
  if (layer === "logits") return `Logit of the ${index}`;
  if (layer === "probabilities") return `Probability of the ${index}`;
  if (layer === "image")
    return `Pixel in row ${Math.floor(index / 28) + 1}, column ${(index % 28) + 1}`;
  const { count, side } = MAPS[layer];
  const { map, row, column } = placeInMap(index, side);
  const when = ORIGINS[layer].pooled ? "" : ", before pooling";
  return `Map ${map + 1} of ${count}, row ${row + 1}, column ${column + 1}${when}`;
}

/**
 * The inputs of a unit that weigh most: single ones, or of a convolution all nine of a map.
 *
 * @param {Parts} parts
 * @param {number} group how many inputs belong together
 * @returns {{first: number, product: number}[]} the largest first
 */
export function heaviest({ products }, group) {
  const groups = [];
  for (let first = 0; first < products.length; first += group) {
    let product = 0;
    for (let i = first; i < first + group; i++) product += products[i];
    groups.push({ first, product });
  }
  groups.sort((one, other) => Math.abs(other.product) - Math.abs(one.product));
  return groups.slice(0, SHOWN).filter(({ product }) => product !== 0);
}

/** The panel that shows a unit's parts. */
export class UnitView {
  /**
   * @param {HTMLElement} element
   * @param {() => void} onClose
   */
  constructor(element, onClose) {
    this.element = element;
    this.close = makeElement("button", "digitlab-close", "×");
    this.close.setAttribute("type", "button");
    this.close.setAttribute("aria-label", "Close");
    this.close.addEventListener("click", onClose);
    this.element.classList.add("digitlab-unit");
    this.show(null, null);
  }

  /**
   * @param {Network | null} network
   * @param {Unit | null} unit
   */
  show(network, unit) {
    this.element.classList.toggle("digitlab-empty", !unit);
    if (!network || !unit) {
      const hint = "Point at a square of the network, or tap it, to see what it is made of.";
      this.element.replaceChildren(makeElement("p", "digitlab-hint", hint));
      return;
    }
    const title = makeElement("h3", "", unitName(unit));
    title.append(this.close);
    if (!(unit.layer in ORIGINS)) {
      this.element.replaceChildren(title, makeElement("p", "", sentence(network, unit)));
      return;
    }
    const parts = takeApart(network, unit);
    const isOfPixels = ORIGINS[unit.layer].from === "image";
    const products = isOfPixels ? patchTimesKernel(parts) : heaviestList(parts, unit);
    this.element.replaceChildren(title, products, equation(parts, unit));
  }
}

/**
 * What there is to say of a number without weights: a pixel, or a probability.
 *
 * @param {Network} network
 * @param {Unit} unit
 */
function sentence({ layers, normalized, data }, { layer, index }) {
  if (layer === "image") {
    return `${signed(layers.image[index])} of ink, from 0 to 1. The network gets ${signed(
      normalized[index],
    )}: less MNIST's mean, divided by its standard deviation.`;
  }
  const { temperature } = data;
  const divided = temperature === 1 ? "" : ` divided by ${signed(temperature)}, the temperature,`;
  return `${signed(100 * layers.probabilities[index])} %. Softmax takes e to the power of each logit
    ${divided} and divides by the sum of all ten: so they are positive and add up to 100 %.`;
}

/**
 * A patch of the picture, the kernel, and their nine products.
 *
 * @param {Parts} parts
 */
function patchTimesKernel({ inputs, weights, products }) {
  const row = makeElement("div", "digitlab-product");
  row.append(
    numberGrid("pixels", inputs, 3), // normalised: the brightest is 2.8
    makeElement("span", "", "×"),
    numberGrid("kernel", weights, largestOf(weights)),
    makeElement("span", "", "="),
    numberGrid("products", products, largestOf(products)),
  );
  return row;
}

/**
 * @param {string} name
 * @param {Float32Array} numbers nine
 * @param {number} brightest the number that is as bright as can be
 */
function numberGrid(name, numbers, brightest) {
  const figure = makeElement("figure", "digitlab-numbers");
  const grid = makeElement("div");
  for (const number of numbers) {
    const cell = makeElement("span", "", signed(number));
    const { paper, text } = cellColors(number / brightest);
    cell.style.background = paper;
    cell.style.color = text;
    grid.append(cell);
  }
  figure.append(grid, makeElement("figcaption", "", name));
  return figure;
}

/**
 * The inputs that weigh most, each with a bar to the left or right, and the sum of all others.
 *
 * @param {Parts} parts
 * @param {Unit} unit
 */
function heaviestList(parts, unit) {
  const group = ORIGINS[unit.layer].size ? 9 : 1;
  const list = heaviest(parts, group);
  const longest = Math.max(...list.map(({ product }) => Math.abs(product)), 1e-9);
  const rows = list.map(({ first, product }) => {
    const factors = group === 9 ? smallFactors(parts, first) : numberFactors(parts, first);
    return productRow(inputName(unit, first), factors, product, product / longest);
  });
  const rest = parts.sum - list.reduce((sum, { product }) => sum + product, 0);
  const others = parts.products.length / group - list.length;
  const label = `${others.toLocaleString("en")} other ${group === 9 ? "maps" : "inputs"}`;
  const element = makeElement("ol", "digitlab-heaviest");
  element.append(...rows, productRow(label, [], rest, 0)); // as a bar it may be far too long
  return element;
}

/**
 * @param {string} label
 * @param {(Node | string)[]} factors
 * @param {number} product
 * @param {number} share of the longest bar, below 0 to the left
 */
function productRow(label, factors, product, share) {
  const row = makeElement("li");
  const bar = makeElement("i", share < 0 ? "negative" : "positive");
  bar.style.setProperty("--share", String(Math.min(Math.abs(share), 1)));
  const middle = makeElement("span", "digitlab-factors");
  middle.append(...factors);
  const track = makeElement("span", "digitlab-weight");
  track.append(bar);
  row.append(makeElement("span", "", label), middle, makeElement("b", "", signed(product)), track);
  return row;
}

/**
 * @param {Parts} parts
 * @param {number} first
 */
function numberFactors({ inputs, weights }, first) {
  return [`${signed(inputs[first])} × ${signed(weights[first])}`];
}

/**
 * A patch and a kernel as nine squares each, without numbers.
 *
 * @param {Parts} parts
 * @param {number} first
 */
function smallFactors({ inputs, weights }, first) {
  const nine = (/** @type {Float32Array} */ numbers) => numbers.subarray(first, first + 9);
  return [
    squares(nine(inputs), largestOf(inputs)),
    "×",
    squares(nine(weights), largestOf(weights)),
  ];
}

/**
 * @param {Float32Array} numbers nine
 * @param {number} brightest
 */
function squares(numbers, brightest) {
  const grid = makeElement("span", "digitlab-squares");
  for (const number of numbers) {
    const square = makeElement("i");
    square.style.background = cellColors(number / brightest).paper;
    grid.append(square);
  }
  return grid;
}

/**
 * @param {Unit} unit
 * @param {number} first
 */
function inputName(unit, first) {
  if (unit.layer === "logits") return `unit ${first + 1}`;
  if (ORIGINS[unit.layer].size) return `map ${first / 9 + 1}`;
  const { map, row, column } = placeInMap(first, 7);
  return `map ${map + 1} (${row + 1}, ${column + 1})`;
}

/**
 * From all products to the unit's value.
 *
 * @param {Parts} parts
 * @param {Unit} unit
 */
function equation(parts, unit) {
  const count = parts.products.length.toLocaleString("en");
  const lines = [
    [`${count} products`, signed(parts.sum), "sum"],
    ["bias", signed(parts.bias), "bias"],
    ["together", signed(parts.total), "total"],
  ];
  if (ORIGINS[unit.layer].relu) lines.push(["ReLU: not below 0", signed(parts.value), "value"]);
  const list = makeElement("dl", "digitlab-equation");
  for (const [name, number, className] of lines) {
    const line = makeElement("div", `digitlab-${className}`);
    line.append(makeElement("dt", "", name), makeElement("dd", "", number));
    list.append(line);
  }
  const panel = makeElement("div");
  panel.append(list, ...REMARKS[unit.layer].map((remark) => makeElement("p", "", remark)));
  return panel;
}

/**
 * @param {number} value
 * @returns {string} two decimals and a true minus sign
 */
function signed(value) {
  return (Math.round(100 * value) / 100 + 0).toFixed(2).replace("-", "−");
}

/** @param {Float32Array} numbers */
function largestOf(numbers) {
  return numbers.reduce((largest, number) => Math.max(largest, Math.abs(number)), 1e-9);
}
