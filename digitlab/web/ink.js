/**
 * Pen strokes to one 28×28 picture in MNIST's convention; the same as digitlab/ink.py, in the page.
 *
 * A digit is scaled into a box of 20×20 pixels, drawn with a pen of constant width, and moved until
 * its centre of mass lies in the middle, so that it reaches the network as MNIST's digits did.
 */

/** @typedef {[number, number]} Point x and y, y downwards, in any unit */
/** @typedef {Point[]} Stroke the points from pen down to pen up */

export const SIZE = 28; // pixels along each side of the picture
export const PEN_WIDTH = 2.4; // pixels of the picture

const BOX = 20; // pixels along the longer side of the ink
const CENTER = 14; // row and column of the centre of mass

/**
 * Draw pen strokes as MNIST would show them: scaled, anti-aliased, centred by mass.
 *
 * @param {Stroke[]} strokes a single point is a dot
 * @param {number} [penWidth] width of the line in pixels of the picture, between 0 and 20
 * @returns {Float32Array} 784 pixels in [0, 1], row by row, white ink on black
 * @throws {Error} nothing is drawn, a point is not finite, or the pen has no such width
 */
export function rasterize(strokes, penWidth = PEN_WIDTH) {
  if (!(penWidth > 0 && penWidth < BOX)) {
    throw new Error(`the pen's width must be between 0 and ${BOX} pixels, got ${penWidth}`);
  }
  const paths = strokes.filter((stroke) => stroke.length > 0);
  if (paths.length === 0) {
    throw new Error("nothing is drawn: there is not a single point in the strokes");
  }
  if (!paths.flat(2).every(Number.isFinite)) {
    throw new Error("the points of a stroke must be finite numbers");
  }
  // The pen reaches half its width beyond the strokes on either side: ink and box have one size.
  const scaled = scaleToBox(paths, BOX - penWidth);
  // The mass is that of the pixels, so it is measured on a first drawing; then the strokes are
  // moved, not the pixels, which that would blur.
  const move = moveToCenter(draw(scaled, penWidth), scaled, penWidth);
  return draw(shift(scaled, move), penWidth);
}

/**
 * Scale the longer side of the drawing to `extent` pixels, its middle to that of the picture.
 *
 * @param {Stroke[]} paths
 * @param {number} extent
 * @returns {Stroke[]}
 */
function scaleToBox(paths, extent) {
  // Differences of huge numbers would overflow, and so would the reciprocal of a tiny side.
  const largest = [0, 1].reduce((most, axis) => {
    const [low, high] = range(paths, axis);
    return Math.max(most, -low, high);
  }, 1);
  const sides = [0, 1].map((axis) => range(paths, axis).map((value) => value / largest));
  const middle = sides.map(([low, high]) => (low + high) / 2);
  const side = Math.max(...sides.map(([low, high]) => high - low)) || 1; // a dot has no size
  const place = (/** @type {number} */ value, /** @type {number} */ axis) =>
    ((value / largest - middle[axis]) / side) * extent + CENTER;
  return paths.map((path) => path.map(([x, y]) => [place(x, 0), place(y, 1)]));
}

/**
 * The move that brings the ink's centre of mass to the middle, shortened where it would push ink
 * out of the picture.
 *
 * @param {Float32Array} ink
 * @param {Stroke[]} paths
 * @param {number} penWidth
 * @returns {Point}
 */
function moveToCenter(ink, paths, penWidth) {
  let [mass, columns, rows] = [0, 0, 0];
  ink.forEach((value, pixel) => {
    mass += value;
    columns += value * (pixel % SIZE);
    rows += value * Math.floor(pixel / SIZE);
  });
  const wanted = [CENTER - columns / mass, CENTER - rows / mass];
  const [right, down] = wanted.map((move, axis) => {
    const [low, high] = range(paths, axis);
    // Pixels are counted from the centre of the first, so the picture runs from -0.5 to 27.5.
    const least = penWidth / 2 - low - 0.5;
    const most = SIZE - 0.5 - penWidth / 2 - high;
    return Math.min(Math.max(move, least), most);
  });
  return [right, down];
}

/**
 * Draw lines with round ends on the 28×28 grid.
 *
 * A pixel's brightness depends on its distance to the nearest line: it is full where its centre
 * lies at least half a pixel inside the line's edge, black half a pixel outside, and grey between.
 *
 * @param {Stroke[]} paths in pixels of the picture
 * @param {number} penWidth
 * @returns {Float32Array} 784 pixels
 */
function draw(paths, penWidth) {
  const reach = penWidth / 2 + 0.5; // from a line's middle to where a pixel is black
  const nearest = new Float64Array(SIZE * SIZE).fill(reach ** 2); // squared distances
  for (const path of paths) {
    // One line from each point to the next; a path of one point is a line of no length.
    for (let end = Math.min(1, path.length - 1); end < path.length; end++) {
      measureLine(nearest, path[Math.max(end - 1, 0)], path[end], reach);
    }
  }
  return Float32Array.from(nearest, (squared) => Math.min(reach - Math.sqrt(squared), 1));
}

/**
 * Keep each pixel's squared distance to a line, where the line is nearer than those before it.
 *
 * @param {Float64Array} nearest
 * @param {Point} start
 * @param {Point} end
 * @param {number} reach only pixels that are as near as this, in both directions, are measured
 */
function measureLine(nearest, [startX, startY], [endX, endY], reach) {
  const alongX = endX - startX;
  const alongY = endY - startY;
  const squaredLength = Math.max(alongX ** 2 + alongY ** 2, 1e-12); // a dot has no length
  const [left, right] = pixelsWithin(startX, endX, reach);
  const [top, bottom] = pixelsWithin(startY, endY, reach);
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const x = column - startX;
      const y = row - startY;
      // The nearest point of the line is the pixel's projection onto it, or else one of its ends.
      const projection = (x * alongX + y * alongY) / squaredLength;
      const position = Math.min(Math.max(projection, 0), 1); // 0 is the start, 1 the end
      const squared = (x - position * alongX) ** 2 + (y - position * alongY) ** 2;
      const pixel = row * SIZE + column;
      if (squared < nearest[pixel]) nearest[pixel] = squared;
    }
  }
}

/**
 * The first and the last row (or column) of the picture that a line can reach.
 *
 * @param {number} start
 * @param {number} end
 * @param {number} reach
 * @returns {[number, number]}
 */
function pixelsWithin(start, end, reach) {
  const first = Math.max(Math.ceil(Math.min(start, end) - reach), 0);
  return [first, Math.min(Math.floor(Math.max(start, end) + reach), SIZE - 1)];
}

/**
 * The smallest and the largest x (axis 0) or y (axis 1) of all points.
 *
 * @param {Stroke[]} paths
 * @param {number} axis
 * @returns {[number, number]}
 */
function range(paths, axis) {
  let [low, high] = [Infinity, -Infinity];
  for (const path of paths) {
    for (const point of path) {
      low = Math.min(low, point[axis]);
      high = Math.max(high, point[axis]);
    }
  }
  return [low, high];
}

/**
 * @param {Stroke[]} paths
 * @param {Point} move
 * @returns {Stroke[]}
 */
function shift(paths, [right, down]) {
  return paths.map((path) => path.map(([x, y]) => [x + right, y + down]));
}
