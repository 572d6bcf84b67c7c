/** What an exported page holds; digitlab/web/pack.py has packed its networks. */

/** @typedef {import("./ink.js").Stroke} Stroke */
/** @typedef {import("./network.js").NetworkData} NetworkData */

/**
 * A network, and what is known of it.
 *
 * @typedef {object} Exhibit
 * @property {string} name
 * @property {NetworkData} network
 * @property {object | null} description the checkpoint's: recipe, results, …
 */

/**
 * @typedef {object} PageData
 * @property {Exhibit[]} networks one, or two to be compared
 * @property {{digit: number, strokes: Stroke[]}[]} examples in the unit square
 */

// Printable letters but for those that JSON or HTML would take for their own; see lettersToBytes.
const LETTERS = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).filter(
  (letter) => !'"<\\'.includes(letter),
);

/**
 * @param {string} text JSON
 * @returns {Promise<PageData>}
 */
export async function unpackPage(text) {
  const { networks, examples } = JSON.parse(text);
  for (const exhibit of networks) {
    exhibit.network = await unpackNetwork(exhibit.network);
  }
  for (const example of examples) {
    // thousandths, which are shorter
    example.strokes = example.strokes.map((/** @type {Stroke} */ stroke) =>
      stroke.map(([x, y]) => [x / 1000, y / 1000]),
    );
  }
  return { networks, examples };
}

/**
 * @param {any} network as pack_network in page.py has packed it
 * @returns {Promise<NetworkData>}
 */
export async function unpackNetwork(network) {
  return { ...network, weights: await unpackWeights(network) };
}

/**
 * Each weight is a whole number of steps, to which 128 was added; of its 16 bits, the lower bytes of
 * all weights come first, then the upper bytes of all, which deflate makes much smaller.
 *
 * @param {{tensors: {name: string, count: number, step: number}[], size: number, packed: string}}
 *   network `packed` are `size` bytes, deflated, as letters
 * @returns {Promise<Object<string, Float32Array>>}
 */
async function unpackWeights({ tensors, size, packed }) {
  const bytes = await inflate(lettersToBytes(packed, size));
  const upper = bytes.length / 2; // where the upper bytes begin
  /** @type {Object<string, Float32Array>} */
  const weights = {};
  let place = 0;
  for (const { name, count, step } of tensors) {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++, place++) {
      const number = ((bytes[upper + place] << 24) >> 16) | bytes[place]; // with its sign
      values[i] = (number - 128) * step;
    }
    weights[name] = values;
  }
  return weights;
}

/**
 * Two letters, of which there are 91, hold 13 bits: 91² is more than 2¹³. The bits of all, one after
 * the other, are the bytes.
 *
 * @param {string} text
 * @param {number} size of the result
 */
function lettersToBytes(text, size) {
  const values = new Uint8Array(128); // of each letter, by its code
  LETTERS.forEach((letter, value) => (values[letter.charCodeAt(0)] = value));
  const bytes = new Uint8Array(size); // what comes after the last byte fills the last letters up
  let bits = 0; // read, and not yet part of a byte
  let count = 0; // of them
  for (let i = 0, place = 0; i < text.length; i += 2) {
    const value = values[text.charCodeAt(i)] * 91 + values[text.charCodeAt(i + 1)];
    bits = ((bits & 0xff) << 13) | value; // fewer than 8 were left
    for (count += 13; count >= 8; count -= 8) bytes[place++] = bits >> (count - 8);
  }
  return bytes;
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<Uint8Array>}
 */
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
