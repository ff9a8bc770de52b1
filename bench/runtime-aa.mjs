// Does the timer call equal models equal? Times each model against a copy of itself.
//   npm run bench -- runtime-aa [REPEATS [MODEL FOLDER or NAME...]]
// Counts how often it says faster or slower, and prints how wide its interval is.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFeeds } from '../dist/runtime/find-feeds.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { halfWidth } from '../dist/runtime/statistics.js';
import { feedOptions, listModels, modelName } from './models.mjs';

const [repeats = '4', ...names] = process.argv.slice(2);
const chosen =
  names.length > 0
    ? names
    : ['mnist-cntk', 'dscnn-kws', 'resnet20-cifar10.onnx', 'resnet56-cifar10.onnx', 'squeezenet', 'silero-vad-16k'];

const host = new RuntimeHost();
const folder = mkdtempSync(join(tmpdir(), 'mcompress-bench-'));
const say = (line) => process.stdout.write(`${line}\n`);
let wrong = 0;
let runs = 0;
for (const original of listModels(chosen)) {
  const name = modelName(original);
  const copy = join(folder, `${name}-copy.onnx`);
  copyFileSync(original, copy);
  const search = await findFeeds(host, original, { seed: 0, kinds: ['normal'], ...feedOptions(name) });
  const feeds = search.verdict === 'found' ? search.samples[0]?.feeds : undefined;
  if (!feeds) throw new Error(`${name} does not run`);
  for (let i = 0; i < Number(repeats); i++) {
    const start = performance.now();
    const result = await compareLatency(host, original, copy, feeds, { seed: i });
    const deciding = result[result.decidedBy];
    runs++;
    if (result.verdict !== 'no-difference') wrong++;
    const percent = (x) => `${(100 * x).toFixed(2)} %`;
    say(
      [
        name.padEnd(24),
        result.verdict.padEnd(14),
        `p50 ${result.before.wall.p50.toFixed(3)} ms`,
        `wall ${percent(result.wall.value - 1)} ±${percent(halfWidth(result.wall))}`,
        `cpu ${percent(result.cpu.value - 1)} ±${percent(halfWidth(result.cpu))}`,
        `by ${result.decidedBy} [${deciding.low.toFixed(4)}, ${deciding.high.toFixed(4)}]`,
        `${result.rounds} rounds in ${result.blocks} blocks of ${result.batch}`,
        `cpu/wall ${result.cpuShare.toFixed(2)}`,
        `${((performance.now() - start) / 1000).toFixed(1)} s`,
      ].join('  '),
    );
  }
}
say(`${wrong} of ${runs} comparisons of a model with itself said it differs`);
await host.dispose();
rmSync(folder, { recursive: true });
