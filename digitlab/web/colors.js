/**
 * One scale of colours for all numbers of the network: black is 0, warm is positive, blue is
 * negative; the larger, the brighter.
 */

const WARM = ["#08080b", "#4d1430", "#b8371f", "#f98e2b", "#ffd27a", "#fff8e6"];
const COLD = ["#08080b", "#0d2748", "#165b9e", "#3f97e0", "#9ad0fb", "#eaf6ff"];
const STEPS = 256; // colours on either side of 0

/** @typedef {[number, number, number]} Rgb each from 0 to 255 */

const [warmTable, coldTable] = [WARM, COLD].map((stops) => colorTable(stops.map(parseColor)));

/** The colours as pixels of an ImageData, whose bytes are red, green, blue and opacity. */
const [warmPixels, coldPixels] = [warmTable, coldTable].map(
  (table) => new Uint32Array(Uint8Array.from(table.flatMap((rgb) => [...rgb, 255])).buffer),
);

/**
 * The pixel that shows a number.
 *
 * @param {number} share from -1 to 1; what is beyond is as bright as can be
 */
export function pixelOf(share) {
  return (share < 0 ? coldPixels : warmPixels)[stepOf(share)];
}

/**
 * The colour that shows a number, and one in which text on it can be read.
 *
 * @param {number} share from -1 to 1
 * @returns {{paper: string, text: string}} colours for CSS
 */
export function cellColors(share) {
  const [red, green, blue] = (share < 0 ? coldTable : warmTable)[stepOf(share)];
  const luminance = 0.299 * red + 0.587 * green + 0.114 * blue; // 0 to 255, as the eye weighs them
  return { paper: `rgb(${red} ${green} ${blue})`, text: luminance > 110 ? "#000" : "#fff" };
}

/** @param {number} share */
function stepOf(share) {
  return Math.min(Math.round(Math.abs(share) * (STEPS - 1)), STEPS - 1);
}

/**
 * @param {string} hex such as "#08080b"
 * @returns {Rgb}
 */
function parseColor(hex) {
  const number = parseInt(hex.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/**
 * All the colours from the first stop to the last, evenly spaced.
 *
 * @param {Rgb[]} stops
 * @returns {Rgb[]}
 */
function colorTable(stops) {
  return Array.from({ length: STEPS }, (_, step) => {
    const position = (step / (STEPS - 1)) * (stops.length - 1);
    const before = Math.min(Math.floor(position), stops.length - 2);
    const mix = (/** @type {number} */ channel) =>
      Math.round(
        stops[before][channel] +
          (position - before) * (stops[before + 1][channel] - stops[before][channel]),
      );
    return [mix(0), mix(1), mix(2)];
  });
}
