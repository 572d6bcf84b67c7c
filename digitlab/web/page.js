/** The exported page: pad, readings and layers, put together. */

import { rasterize } from "./ink.js";
import { Layers } from "./layers.js";
import { Network } from "./network.js";
import { Pad } from "./pad.js";
import { unpackPage } from "./unpack.js";
import { Reading, makeElement } from "./view.js";

/** @typedef {import("./ink.js").Stroke} Stroke */

const EXAMPLE_MARGIN = 0.12; // of the pad's side

/**
 * @param {string} selector
 * @returns {HTMLElement}
 */
const part = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

// The pad comes first: one can draw while the network is unpacked.
const pad = new Pad(part(".digitlab-canvas"), { onChange: askForPrediction });
const readings = [new Reading(part(".digitlab-reading"))];
/** @type {Network[]} one, or two that are compared */
let networks = [];
/** @type {Layers | undefined} of the network that is shown */
let layers;
let frame = 0; // the one in which the next prediction is made; 0 if none is asked for
connectTools();
askForPrediction();

const page = await unpackPage(part("#network").textContent ?? "").catch((error) => {
  readings[0].readout.textContent = `The network can't be unpacked; a newer browser can: ${error}`;
  throw error;
});
networks = page.networks.map(({ network }) => new Network(network));
// The first time is slower: better now than with ink.
for (const network of networks) network.predict(new Float32Array(28 * 28));
layers = new Layers(part(".digitlab-layers"), part(".digitlab-panel"), networks[0]);
if (networks.length > 1) compare();
page.networks.forEach(({ name, description }) => {
  if (networks.length > 1) part(".digitlab-description").append(makeElement("h3", "", name));
  describe(part(".digitlab-description"), description);
});
askForPrediction(); // of what was drawn meanwhile

/** Predict in the next frame: once, however often the drawing changes until then. */
function askForPrediction() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    const image = pad.strokes.length ? rasterize(pad.strokes, pad.penWidth) : null;
    readings.forEach((reading, i) => {
      const prediction = (image && networks[i]?.predict(image)) ?? null;
      reading.show(prediction, image, pad.isDrawing);
    });
    layers?.show(image !== null);
    part("[data-action=undo]").setAttribute("aria-disabled", String(!pad.strokes.length));
    part("[data-action=redo]").setAttribute("aria-disabled", String(!pad.undone.length));
  });
}

function connectTools() {
  /** @type {Object<string, () => void>} */
  const actions = {
    undo: () => pad.undo(),
    redo: () => pad.redo(),
    clear: () => pad.clear(),
    example: writeExample,
    saveDrawing: () => savePng(pad.canvas, "drawing.png"),
    savePicture: () => savePng(readings[0].picture.canvas, "drawing_28x28.png"),
  };
  for (const [name, action] of Object.entries(actions)) {
    part(`[data-action=${name}]`).addEventListener("click", action);
  }
  for (const pen of document.querySelectorAll("input[name=pen]")) {
    const input = /** @type {HTMLInputElement} */ (pen);
    input.addEventListener("change", () => (pad.penWidth = Number(input.value)));
    if (input.checked) pad.penWidth = Number(input.value); // as before the page was reloaded
  }
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) pad.redo();
    else pad.undo();
  });
}

/** Give the second network a reading of its own, and let one choose whose layers are shown. */
function compare() {
  const element = makeElement("div", "digitlab-reading");
  part(".digitlab-readings").append(element);
  readings.push(new Reading(element));
  part(".digitlab-drawpad").classList.add("digitlab-pair");
  part("#about-title").textContent = "About these networks";
  const choice = part(".digitlab-choice");
  choice.hidden = false;
  const select = /** @type {HTMLSelectElement} */ (choice.querySelector("select"));
  page.networks.forEach(({ name }, i) => {
    readings[i].setName(name);
    select.append(makeElement("option", "", name));
  });
  select.addEventListener("change", () => {
    if (layers) layers.network = networks[select.selectedIndex];
    askForPrediction();
  });
}

/**
 * Save what a canvas shows, on black.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {string} name of the file
 */
function savePng(canvas, name) {
  const copy = document.createElement("canvas");
  copy.width = canvas.width;
  copy.height = canvas.height;
  const context = /** @type {CanvasRenderingContext2D} */ (copy.getContext("2d"));
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, 0);
  const link = document.createElement("a");
  link.href = copy.toDataURL("image/png");
  link.download = name;
  link.click();
}

/** Write a random example, but none twice in a row. */
function writeExample() {
  const { examples } = page;
  const [example] = examples.splice(Math.floor(Math.random() * (examples.length - 1)), 1);
  examples.push(example);
  const side = pad.size * (1 - 2 * EXAMPLE_MARGIN);
  const place = (/** @type {number} */ share) => pad.size * EXAMPLE_MARGIN + side * share;
  pad.write(example.strokes.map((stroke) => stroke.map(([x, y]) => [place(x), place(y)])));
}

/**
 * Say how the network was made, as far as its description knows. Whatever stands there is shown as
 * text: the file may come from anybody.
 *
 * @param {HTMLElement} element
 * @param {any} description
 */
function describe(element, description) {
  const { results, recipe } = description ?? {};
  const accuracy = Number(results?.test_accuracy ?? results?.val_accuracy);
  const images = results?.test_accuracy === undefined ? "5,000 validation" : "10,000 test";
  const sentences = ["It has two convolutions, two fully connected layers and 421,642 weights."];
  if (accuracy >= 0 && accuracy <= 1) {
    const share = (100 * accuracy).toFixed(2);
    sentences.push(`It classifies ${share}\u00a0% of MNIST's ${images} images right.`);
  }
  if (Number.isInteger(recipe?.epochs)) {
    sentences.push(`It was trained for ${recipe.epochs} epochs.`);
  }
  if (!description) sentences.push("Nothing is known of how it was trained.");
  sentences.push("All of it is in this page: nothing that you draw is sent anywhere.");
  element.append(makeElement("p", "", sentences.join(" ")));
  const facts = [...flatten({ recipe, results })];
  if (!facts.length) return;
  const list = makeElement("dl");
  for (const [name, value] of facts) {
    list.append(makeElement("dt", "", name), makeElement("dd", "", value));
  }
  const details = document.createElement("details");
  details.append(makeElement("summary", "", "All that is known of it"), list);
  element.append(details);
}

/**
 * Names and values of nested objects, as text.
 *
 * @param {object} values
 * @returns {Generator<[string, string]>}
 */
function* flatten(values) {
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && typeof value === "object") yield* flatten(value);
    else if (value !== null && value !== undefined)
      yield [name.replaceAll("_", " "), String(value)];
  }
}
