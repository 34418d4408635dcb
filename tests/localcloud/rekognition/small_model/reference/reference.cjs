// Asks TensorFlow.js, which nsfwjs runs on, about the pictures of test_network.py, and prints its probabilities.
//
//     npm ci && node reference.cjs ../../../../../.cache/small-model
const fs = require('fs');
const path = require('path');
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
const layers = require('@tensorflow/tfjs-layers');

const folder = path.resolve(process.argv[2]);
const SIDE = 224;

const pictures = {
  stripes: [300, 180, (x, y) => [(x * 5) % 256, (y * 3) % 256, ((x + y) * 2) % 256]],
  blocks: [224, 224, (x, y) => ((x / 40 | 0) + (y / 30 | 0)) % 2 ? [250, 240, 20] : [10, 60, 200]],
  disc: [500, 400, (x, y) => (x - 250) ** 2 + (y - 200) ** 2 < 120 ** 2 ? [214, 60, 60] : [240, 240, 235]],
  waves: [97, 411, (x, y) => [(x * x + y) % 256, (x + y * y) % 256, (x * y) % 256]],
  tall: [90, 2000, (x, y) => [y % 256, (y >> 3) % 256, (x * 2) % 256]],
};

async function main() {
  const model = require(path.join(folder, 'model.min.js'));
  const script = fs.readFileSync(path.join(folder, 'group1-shard1of1.min.js'), 'utf8');
  const weights = Buffer.from(script.match(/[A-Za-z0-9+/=]{1000,}/)[0], 'base64');
  const network = await layers.loadLayersModel({
    load: async () => ({
      modelTopology: model.modelTopology,
      weightSpecs: model.weightsManifest[0].weights,
      weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length),
    }),
  });
  for (const [name, [width, height, color]] of Object.entries(pictures)) {
    const pixels = new Float32Array(width * height * 3);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) pixels.set(color(x, y), (y * width + x) * 3);
    }
    // As in NSFWJS.prototype.infer: scaled to 0..1, resized with alignCorners unless the size is right already.
    const picture = tf.div(tf.tensor3d(pixels, [height, width, 3]), 255);
    const resized = width === SIDE && height === SIDE ? picture : tf.image.resizeBilinear(picture, [SIDE, SIDE], true);
    const found = await network.predict(tf.expandDims(resized, 0)).data();
    console.log(`    "${name}": (${Array.from(found).map((value) => value.toFixed(6)).join(', ')}),`);
  }
}

main();
