// Does the timer call equal models equal? Times each model against a copy of itself, several times over, and counts how
// often it says faster or slower, and how wide its interval is. Usage: npm run bench -- runtime-aa [REPEATS [NAME...]]
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFeeds } from '../dist/runtime/find-feeds.js';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { halfWidth } from '../dist/runtime/statistics.js';

const models = join(process.cwd(), '../shared/assets/models');
const [repeats = '4', ...names] = process.argv.slice(2);
const chosen =
  names.length > 0
    ? names
    : ['mnist-cntk', 'dscnn-kws', 'resnet20-cifar10', 'resnet56-cifar10', 'squeezenet1.1-imagenet', 'silero-vad-16k'];

/** Feeds that the model cannot guess. */
const fixed = new Map([['silero-vad-16k', new Map([['sr', { fill: 16000 }]])]]);

const host = new RuntimeHost();
const folder = mkdtempSync(join(tmpdir(), 'mcompress-bench-'));
const say = (line) => process.stdout.write(`${line}\n`);
if (!existsSync(models)) say('this bench needs the shared models in ../shared/assets/models');
let wrong = 0;
let runs = 0;
for (const name of existsSync(models) ? chosen : []) {
  const original = join(models, `${name}.onnx`);
  const copy = join(folder, `${name}-copy.onnx`);
  copyFileSync(original, copy);
  const search = await findFeeds(host, original, { seed: 0, kinds: ['normal'], fixed: fixed.get(name) ?? new Map() });
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
