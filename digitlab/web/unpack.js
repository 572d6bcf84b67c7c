/** What an exported page holds, as digitlab/export/page.py packed it. */

/** @typedef {import("./ink.js").Stroke} Stroke */
/** @typedef {import("./network.js").NetworkData} NetworkData */

/**
 * @typedef {object} PageData
 * @property {NetworkData} network
 * @property {object | null} description the checkpoint's: recipe, results, …
 * @property {{digit: number, strokes: Stroke[]}[]} examples in the unit square
 */

/**
 * @param {string} text JSON
 * @returns {Promise<PageData>}
 */
export async function unpackPage(text) {
  const { network, description, examples } = JSON.parse(text);
  return { network: await unpackNetwork(network), description, examples };
}

/**
 * @param {any} network as pack_network in page.py has packed it
 * @returns {Promise<NetworkData>}
 */
export async function unpackNetwork(network) {
  return { ...network, weights: await unpackWeights(network.tensors, network.packed) };
}

/**
 * Each weight is a whole number of steps; of the 16 bits of each, the lower bytes of all come first,
 * then the upper bytes of all, which deflate makes much smaller.
 *
 * @param {{name: string, count: number, step: number}[]} tensors
 * @param {string} packed deflated, in base64
 * @returns {Promise<Object<string, Float32Array>>}
 */
async function unpackWeights(tensors, packed) {
  const bytes = await inflate(Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0)));
  const upper = bytes.length / 2; // where the upper bytes begin
  /** @type {Object<string, Float32Array>} */
  const weights = {};
  let place = 0;
  for (const { name, count, step } of tensors) {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++, place++) {
      const steps = ((bytes[upper + place] << 24) >> 16) | bytes[place]; // with its sign
      values[i] = steps * step;
    }
    weights[name] = values;
  }
  return weights;
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<Uint8Array>}
 */
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
