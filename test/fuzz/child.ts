// The program in the child processes of bench/fuzz.mjs: mutants FIRST, FIRST + STEP, ... below END, a line before and a line
// after each, so that the parent knows which one it died of.
//   child.mjs FIRST STEP END FOLDER_FOR_FAULTS MODEL...
import { mkdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { exercise } from './exercise.js';
import { makeMutant, realFiles } from './mutants.js';

const [first, step, end, faults = '.', ...paths] = process.argv.slice(2);
const files = realFiles(paths);
/** Not through a stream: a line must be out before the work on the mutant begins. */
const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);

for (let number = Number(first); number < Number(end); number += Number(step)) {
  const { name, bytes, folder } = makeMutant(files, number);
  say({ begins: number, name });
  const started = performance.now();
  const outcome = await exercise(bytes, folder);
  if (outcome.kind === 'fault') {
    mkdirSync(faults, { recursive: true });
    writeFileSync(join(faults, `${number}.onnx`), bytes);
  }
  // maxRSS is in KiB, and of the whole life of the process.
  say({ ended: number, name, outcome, ms: performance.now() - started, rss: process.resourceUsage().maxRSS * 1024 });
}
