/**
 * The network in the page: a 28×28 picture to every layer's numbers; as DigitCNN in
 * digitlab/model.py, number by number.
 *
 * All numbers lie in flat arrays: pixel (row, column) of map c, in maps of size×size, is at
 * (c * size + row) * size + column.
 */

/**
 * What an exported page knows of its network.
 *
 * @typedef {object} NetworkData
 * @property {Object<string, Float32Array>} weights those of DigitCNN's state dict, by their names:
 *   "conv1.weight" (32, 1, 3, 3), "conv1.bias" (32), "conv2.weight" (64, 32, 3, 3), "conv2.bias",
 *   "fc1.weight" (128, 3136), "fc1.bias", "fc2.weight" (10, 128), "fc2.bias"
 * @property {number} mean of MNIST's pixels
 * @property {number} std their standard deviation
 * @property {number} temperature what the logits are divided by before softmax
 * @property {number} minTopTwo what the two likeliest digits reach together, if it is a digit
 */

/**
 * What each layer made of a picture. The next prediction overwrites these arrays.
 *
 * @typedef {object} Layers
 * @property {Float32Array} image (784) pixels in [0, 1], as they came
 * @property {Float32Array} conv1 (32, 28, 28) after ReLU
 * @property {Float32Array} pool1 (32, 14, 14) the largest of each 2×2 in conv1
 * @property {Float32Array} conv2 (64, 14, 14) after ReLU
 * @property {Float32Array} pool2 (64, 7, 7) the largest of each 2×2 in conv2
 * @property {Float32Array} fc1 (128) after ReLU
 * @property {Float32Array} logits (10)
 * @property {Float32Array} probabilities (10) one for each digit, adding up to 1; calibrated
 */

/**
 * @typedef {object} Prediction
 * @property {Float32Array} probabilities (10) one for each digit, adding up to 1; calibrated
 * @property {number} digit the likeliest digit
 * @property {number} confidence its probability
 * @property {number} runnerUp the second likeliest digit
 * @property {boolean} isDigit false if the picture is blank, or does not look like any digit, nor
 *   like something between two
 * @property {Layers} layers
 */

export class Network {
  /** @param {NetworkData} data */
  constructor(data) {
    this.weights = data.weights;
    this.data = data;
    /** @type {Layers} */
    this.layers = {
      image: new Float32Array(28 * 28),
      conv1: new Float32Array(32 * 28 * 28),
      pool1: new Float32Array(32 * 14 * 14),
      conv2: new Float32Array(64 * 14 * 14),
      pool2: new Float32Array(64 * 7 * 7),
      fc1: new Float32Array(128),
      logits: new Float32Array(10),
      probabilities: new Float32Array(10),
    };
    this.normalized = new Float32Array(28 * 28);
  }

  /**
   * Compute every layer's numbers.
   *
   * @param {ArrayLike<number>} image 784 pixels in [0, 1], white ink on black
   * @returns {Layers}
   */
  forward(image) {
    const { weights, layers, normalized } = this;
    const { mean, std } = this.data;
    layers.image.set(image);
    for (let pixel = 0; pixel < 28 * 28; pixel++) normalized[pixel] = (image[pixel] - mean) / std;
    convolve(normalized, weights["conv1.weight"], weights["conv1.bias"], 28, layers.conv1);
    relu(layers.conv1);
    maxPool(layers.conv1, 28, layers.pool1);
    convolve(layers.pool1, weights["conv2.weight"], weights["conv2.bias"], 14, layers.conv2);
    relu(layers.conv2);
    maxPool(layers.conv2, 14, layers.pool2);
    connect(layers.pool2, weights["fc1.weight"], weights["fc1.bias"], layers.fc1);
    relu(layers.fc1);
    connect(layers.fc1, weights["fc2.weight"], weights["fc2.bias"], layers.logits);
    return layers;
  }

  /**
   * Predict the digit in one picture.
   *
   * @param {ArrayLike<number>} image 784 pixels in [0, 1], white ink on black
   * @returns {Prediction}
   */
  predict(image) {
    const layers = this.forward(image);
    const probabilities = softmax(layers.logits, this.data.temperature);
    layers.probabilities.set(probabilities);
    const [digit, runnerUp] = [...probabilities.keys()].sort(
      (one, other) => probabilities[other] - probabilities[one],
    );
    const confidence = probabilities[digit];
    const isDigit =
      layers.image.some((pixel) => pixel > 0) &&
      confidence + probabilities[runnerUp] >= this.data.minTopTwo;
    return { probabilities, digit, confidence, runnerUp, isDigit, layers };
  }
}

/**
 * Convolve maps with kernels of 3×3, their surroundings black.
 *
 * @param {Float32Array} input (channels, size, size)
 * @param {Float32Array} kernels (maps, channels, 3, 3)
 * @param {Float32Array} bias (maps)
 * @param {number} size
 * @param {Float32Array} output (maps, size, size), overwritten
 */
function convolve(input, kernels, bias, size, output) {
  const channels = input.length / size ** 2;
  const padded = pad(input, size);
  const wide = size + 2;
  for (let map = 0; map < bias.length; map++) {
    output.fill(bias[map], map * size ** 2, (map + 1) * size ** 2);
    for (let channel = 0; channel < channels; channel++) {
      // The kernel's nine weights, row by row. (Written as [a, b, c] = […], WebKit is ten times as
      // slow.)
      const k = (map * channels + channel) * 9;
      const a = kernels[k], b = kernels[k + 1], c = kernels[k + 2];
      const d = kernels[k + 3], e = kernels[k + 4], f = kernels[k + 5];
      const g = kernels[k + 6], h = kernels[k + 7], i = kernels[k + 8];
      let place = map * size ** 2;
      for (let row = 0; row < size; row++) {
        let top = (channel * wide + row) * wide; // of the 3×3 pixels, the one at the top left
        for (let column = 0; column < size; column++, place++, top++) {
          const middle = top + wide;
          const bottom = middle + wide;
          output[place] +=
            a * padded[top] + b * padded[top + 1] + c * padded[top + 2] +
            d * padded[middle] + e * padded[middle + 1] + f * padded[middle + 2] +
            g * padded[bottom] + h * padded[bottom + 1] + i * padded[bottom + 2];
        }
      }
    }
  }
}

/**
 * Put a frame of zeros, one pixel wide, around each map.
 *
 * @param {Float32Array} maps (channels, size, size)
 * @param {number} size
 * @returns {Float32Array} (channels, size + 2, size + 2)
 */
function pad(maps, size) {
  const wide = size + 2;
  const rows = maps.length / size;
  const padded = new Float32Array((rows / size) * wide ** 2);
  for (let row = 0; row < rows; row++) {
    const map = Math.floor(row / size);
    padded.set(maps.subarray(row * size, (row + 1) * size), (row + 2 * map + 1) * wide + 1);
  }
  return padded;
}

/**
 * Replace what is negative by 0.
 *
 * @param {Float32Array} values
 */
function relu(values) {
  for (let i = 0; i < values.length; i++) values[i] = Math.max(values[i], 0);
}

/**
 * Keep the largest of each 2×2 pixels.
 *
 * @param {Float32Array} maps (channels, size, size)
 * @param {number} size an even number
 * @param {Float32Array} pooled (channels, size / 2, size / 2), overwritten
 */
function maxPool(maps, size, pooled) {
  for (let i = 0; i < pooled.length; i++) {
    const row = Math.floor(i / (size / 2)); // of all maps' rows, one below the other
    const top = 2 * row * size + 2 * (i % (size / 2));
    const bottom = top + size;
    pooled[i] = Math.max(maps[top], maps[top + 1], maps[bottom], maps[bottom + 1]);
  }
}

/**
 * A fully connected layer: each unit weighs all inputs, and adds its bias.
 *
 * @param {Float32Array} inputs
 * @param {Float32Array} weights (units, inputs)
 * @param {Float32Array} bias (units)
 * @param {Float32Array} units overwritten
 */
function connect(inputs, weights, bias, units) {
  for (let unit = 0; unit < units.length; unit++) {
    let sum = bias[unit];
    const first = unit * inputs.length;
    for (let i = 0; i < inputs.length; i++) sum += weights[first + i] * inputs[i];
    units[unit] = sum;
  }
}

/**
 * Calibrated probabilities, adding up to 1.
 *
 * @param {Float32Array} logits
 * @param {number} temperature
 * @returns {Float32Array}
 */
function softmax(logits, temperature) {
  const largest = Math.max(...logits); // its exponential is 1, so that none overflows
  const exponentials = logits.map((logit) => Math.exp((logit - largest) / temperature));
  const sum = exponentials.reduce((total, value) => total + value);
  return exponentials.map((value) => value / sum);
}
