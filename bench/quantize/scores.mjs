// Scores of a quantized model beside its float original: on the same rows, from the outputs of both.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../models.mjs';

/**
 * Outputs of a model on rows of images.npy: `{ values, width }`, or `{ error }` where it does not load or run. With `keep`
 * they stay beside the model.
 */
export function answersOf(model, folder, rows, out) {
  if (!existsSync(out)) {
    const rowsFile = `${out}.rows.json`;
    writeFileSync(rowsFile, JSON.stringify(rows));
    const script = join(root, 'bench/quantize/answer.mjs');
    const args = [script, model, join(folder, 'images.npy'), `${out}.part`, rowsFile];
    const run = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (run.status !== 0)
      return { error: /Error.*: .*/.exec(run.stderr)?.[0] ?? `ended with ${run.status ?? run.signal}` };
    renameSync(`${out}.part`, out);
  }
  const bytes = readFileSync(out);
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return { values, width: values.length / rows.length };
}

/** The answers of some of the rows that `answers` holds all of. */
export function pick({ values, width }, rows) {
  const picked = new Float32Array(rows.length * width);
  rows.forEach((row, at) => picked.set(values.subarray(row * width, (row + 1) * width), at * width));
  return { values: picked, width };
}

function topClasses({ values, width }) {
  return Array.from({ length: values.length / width }, (_, row) => {
    const answer = values.subarray(row * width, (row + 1) * width);
    return answer.indexOf(answer.reduce((best, value) => Math.max(best, value), -Infinity));
  });
}

/** 10 log10 of the energy of the float outputs over the energy of the difference. */
function signalToNoise(reference, answers) {
  let signal = 0;
  let noise = 0;
  reference.values.forEach((value, at) => {
    signal += value * value;
    noise += (value - answers.values[at]) ** 2;
  });
  return 10 * Math.log10(signal / noise);
}

/** Exact two-sided McNemar test: of the images where just one of two models is right, `lost` and `won`. */
export function mcnemar(lost, won) {
  const count = lost + won;
  if (count === 0) return 1;
  let logTerm = -count * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(lost, won); k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((count - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}

/** Of the images where just one of two results is right: how many the second lost and won, with p. */
export function paired(before, after) {
  const lost = before.filter((right, row) => right && !after[row]).length;
  const won = before.filter((right, row) => !right && after[row]).length;
  return { lost, won, p: mcnemar(lost, won) };
}

/** Top-1 in per cent, drop in points, agreement in per cent, p of the drop, signal-to-noise of the outputs in dB; `right` per image. */
export function score(reference, answers, labels) {
  const before = topClasses(reference);
  const after = topClasses(answers);
  const floatRight = before.map((top, row) => top === labels[row]);
  const right = after.map((top, row) => top === labels[row]);
  const percent = (hits) => (100 * hits.filter(Boolean).length) / labels.length;
  const { lost, won, p } = paired(floatRight, right);
  return {
    floatTop1: percent(floatRight),
    top1: percent(right),
    drop: (100 * (lost - won)) / labels.length,
    lost,
    won,
    p,
    agreement: percent(before.map((top, row) => top === after[row])),
    decibels: signalToNoise(reference, answers),
    right,
  };
}
