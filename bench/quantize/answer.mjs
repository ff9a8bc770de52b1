// Runs a model on rows of an .npy file, one by one, and writes its first output: the scorer of the quantization benches.
//   node bench/quantize/answer.mjs MODEL IMAGES.npy OUT.f32 [ROWS.json]
// One thread, as the model is deployed. Little-endian float32, one row after the other.
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { readHeader } from './npy.mjs';

const [model, images, out, rowsFile] = process.argv.slice(2);
const file = openSync(images, 'r');
const { shape, start } = readHeader(file);
const [count, ...dims] = shape;
const rows = rowsFile ? JSON.parse(readFileSync(rowsFile, 'utf8')) : Array.from({ length: count }, (_, row) => row);
const size = dims.reduce((product, dim) => product * dim, 1);

const session = await ort.InferenceSession.create(model, {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
});
const [input] = session.inputNames;
const [output] = session.outputNames;
const values = new Float32Array(size);
const bytes = new Uint8Array(values.buffer);
const answers = [];
for (const row of rows) {
  readSync(file, bytes, 0, bytes.length, start + row * bytes.length);
  const results = await session.run({ [input]: new ort.Tensor('float32', values, [1, ...dims]) }, [output]);
  answers.push(Float32Array.from(results[output].data));
}
closeSync(file);
const width = answers[0].length;
const all = new Float32Array(width * answers.length);
answers.forEach((answer, row) => all.set(answer, row * width));
writeFileSync(out, new Uint8Array(all.buffer));
