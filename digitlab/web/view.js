/**
 * What the network predicts, for the eye and the ear: the answer with its doubt, a bar for each
 * digit, and the picture that it was made from.
 */

/** @typedef {import("./network.js").Prediction} Prediction */

const INVITATION = "Draw a digit, 0 to 9.";
const NO_DIGIT = "This does not look like a digit. Best guess:";
const CLOSE = 0.5; // a runner-up with this fraction of the likeliest's probability is worth naming
const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

export class Reading {
  /** @param {HTMLElement} element what to put read-out, picture and bars into */
  constructor(element) {
    this.readout = makeElement("div", "digitlab-prediction");
    this.picture = new Picture();
    this.bars = new Bars();
    // Sixty answers a second are noise to the ear: what is spoken changes with the pen lifted.
    this.spoken = makeElement("div", "digitlab-spoken");
    this.spoken.setAttribute("role", "status");
    this.element = element;
    this.name = ""; // of the network, where there are two
    const head = makeElement("div", "digitlab-head");
    head.append(this.readout, this.picture.element);
    element.append(head, this.bars.element, this.spoken);
    this.show(null, null, false);
  }

  /** @param {string} name of the network, which tells its reading from another one's */
  setName(name) {
    this.name = name;
    this.element.prepend(makeElement("h3", "digitlab-name", name));
    this.bars.name = name;
  }

  /**
   * @param {Prediction | null} prediction null if nothing is drawn
   * @param {Float32Array | null} image what it was made from
   * @param {boolean} isDrawing whether the drawing goes on
   */
  show(prediction, image, isDrawing) {
    this.readout.setAttribute("aria-busy", String(isDrawing));
    this.readout.replaceChildren(...(prediction ? answer(prediction) : [INVITATION]));
    this.readout.classList.toggle("digitlab-empty", !prediction);
    this.picture.show(image);
    this.bars.show(prediction);
    const sentence = isDrawing || !prediction ? "" : predictionSentence(prediction);
    const spoken = sentence && this.name ? `${this.name}: ${sentence}` : sentence;
    if (this.spoken.textContent !== spoken) this.spoken.textContent = spoken;
  }
}

/**
 * The answer as parts of the page.
 *
 * @param {Prediction} prediction
 */
export function answer(prediction) {
  if (!prediction.isDigit) {
    return [`${NO_DIGIT} `, makeElement("span", "digitlab-guess", guess(prediction))];
  }
  const line = makeElement("div", "digitlab-answer");
  const share = makeElement("span", "", ` · ${percent(prediction.confidence)}`);
  line.append(makeElement("b", "", String(prediction.digit)), share);
  return isClose(prediction)
    ? [line, makeElement("span", "digitlab-doubt", doubt(prediction))]
    : [line];
}

/**
 * Put a prediction into plain text.
 *
 * @param {Prediction} prediction
 */
export function predictionSentence(prediction) {
  if (!prediction.isDigit) return `${NO_DIGIT} ${guess(prediction)}`;
  return guess(prediction) + (isClose(prediction) ? `. ${doubt(prediction)}` : "");
}

/** @param {Prediction} prediction */
function guess({ digit, confidence }) {
  return `${digit} · ${percent(confidence)}`;
}

/** @param {Prediction} prediction */
function isClose({ probabilities, confidence, runnerUp }) {
  return probabilities[runnerUp] >= CLOSE * confidence;
}

/** @param {Prediction} prediction */
function doubt({ digit, runnerUp }) {
  return `Not sure: ${Math.min(digit, runnerUp)} or ${Math.max(digit, runnerUp)}?`;
}

/**
 * A probability as text; never 100 %, since no network is ever certain.
 *
 * @param {number} share in [0, 1]
 */
export function percent(share) {
  return `${Math.min(Math.round(100 * share), 99)} %`;
}

/** Ten bars, one a digit, that glide to where they belong. */
export class Bars {
  constructor() {
    this.name = ""; // of the network, where there are two
    this.element = makeElement("ol", "digitlab-bars");
    this.element.setAttribute("role", "img");
    this.rows = DIGITS.map((digit) => {
      const row = makeElement("li");
      const bar = makeElement("i");
      const track = makeElement("span", "digitlab-track");
      track.append(bar);
      const share = makeElement("span", "digitlab-share");
      row.append(makeElement("b", "", String(digit)), track, share);
      return { row, bar, share };
    });
    this.element.append(...this.rows.map(({ row }) => row));
  }

  /** @param {Prediction | null} prediction */
  show(prediction) {
    const shares = DIGITS.map((digit) => (prediction ? prediction.probabilities[digit] : 0));
    const texts = shares.map((share) => (prediction ? percent(share) : ""));
    this.rows.forEach(({ row, bar, share }, digit) => {
      row.className = this.look(prediction, digit);
      bar.style.setProperty("--share", String(shares[digit]));
      if (share.textContent !== texts[digit]) share.textContent = texts[digit];
    });
    const spoken = texts.map((text, digit) => `${digit}: ${text}`).join(", ");
    const whose = this.name ? `Probabilities, ${this.name}` : "Probabilities";
    this.element.setAttribute("aria-label", `${whose}: ${prediction ? spoken : "none yet"}`);
  }

  /**
   * @param {Prediction | null} prediction
   * @param {number} digit
   */
  look(prediction, digit) {
    if (!prediction) return "";
    if (percent(prediction.probabilities[digit]) === percent(0)) return "zero";
    if (digit === prediction.digit) return prediction.isDigit ? "winner" : "winner no-digit";
    return prediction.isDigit && digit === prediction.runnerUp ? "runner-up" : "";
  }
}

/** The 28×28 pixels that the network gets, enlarged. */
class Picture {
  constructor() {
    this.element = makeElement("figure", "digitlab-picture");
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.canvas.height = 28;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "Your drawing as 28 by 28 pixels");
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.pixels = this.context.createImageData(28, 28);
    const caption = makeElement("figcaption", "", "What the network sees");
    this.element.append(this.canvas, caption);
  }

  /** @param {Float32Array | null} image */
  show(image) {
    const { data } = this.pixels;
    for (let pixel = 0; pixel < 28 * 28; pixel++) {
      data.fill(image ? Math.round(255 * image[pixel]) : 0, 4 * pixel, 4 * pixel + 3);
      data[4 * pixel + 3] = 255; // opaque
    }
    this.context.putImageData(this.pixels, 0, 0);
  }
}

/**
 * @param {string} tag
 * @param {string} [className]
 * @param {string} [text] shown as it is: tags in it are text, too
 */
export function makeElement(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
