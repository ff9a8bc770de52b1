// Bar: calibrating MobileNetV2 on 500 images takes under 400 MB in all, and on 100 at most half the time of the peer's percentile.
//   MCOMPRESS_PYTHON=python npm run bench -- quantize-calibration [--repeats 2] [--json FILE]
// Ours: all calibrators at once, by the command below. The peer: its percentile calibrator alone, without quantizing. Both
// on the same arrays, in turn, each in a process of its own; the shortest of the repeats counts, and the processor time
// decides, since the clock also shows what else the machine does. Peak: the largest sum of memory of all our processes
// at one time (Linux). Exits with 1 when a bar is missed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { python, root } from './models.mjs';
import {
  calibrationCommand,
  calibrationFile,
  chosenCases,
  hasCommand,
  prepareData,
  workFolder,
} from './quantize/cases.mjs';
import { calibrateByPeer, peerFolder, peerVersions, prepareForPeer } from './quantize/peer.mjs';
import { measureTree } from './process-tree.mjs';
import { formatTable } from './table.mjs';

const MEMORY = 400e6;
const { values: options } = parseArgs({
  options: { repeats: { type: 'string', default: '2' }, json: { type: 'string' } },
});
const [one] = chosenCases(['mobilenetv2-imagenet']);
const { folder } = prepareData(one, 1);
const versions = peerVersions();
const runOurs = hasCommand('calibrate');
if (!runOurs) console.error('ours: left out, this build has no command `calibrate`');
const target = join(workFolder, 'ours', 'calibration.json');
mkdirSync(join(workFolder, 'ours'), { recursive: true });
const ours = (data, ...more) => {
  rmSync(target, { force: true });
  return [...calibrationCommand({ model: one.file, data, out: target }), ...more];
};

/** Clock and processor time of our command on the data of the peer. */
function timeOurs() {
  const args = [join(root, 'bench/peers.py'), 'time', process.execPath, ...ours(calibrationFile(folder, 0))];
  const run = spawnSync(python, args, { encoding: 'utf8' });
  const measured = JSON.parse(run.stdout);
  if (measured.status !== 0) throw new Error(`calibrate ended with ${measured.status}`);
  return measured;
}

const peers = peerFolder(one.name, one.file, versions);
const prepared = prepareForPeer(peers, one.file);
const taken = { peer: [], ours: [] };
for (let repeat = 0; repeat < Number(options.repeats); repeat++) {
  const found = calibrateByPeer(
    prepared.path,
    calibrationFile(folder, 0),
    join(workFolder, 'ours', 'peer-ranges.json'),
  );
  if (found.error) throw new Error(`The peer fails: ${found.error}`);
  taken.peer.push(found);
  if (runOurs) taken.ours.push(timeOurs());
}

const least = (runs, figure) => Math.min(...runs.map((run) => run[figure]));
const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
const row = (name, runs, peak) => [
  name,
  least(runs, 'wallSeconds').toFixed(1),
  least(runs, 'cpuSeconds').toFixed(1),
  megabytes(peak),
];
const rows = [
  row('peer, percentile, 100 images', taken.peer, Math.max(...taken.peer.map(({ peakBytes }) => peakBytes))),
];
const verdicts = [];
if (runOurs) {
  const small = await measureTree(process.execPath, ours(calibrationFile(folder, 0)));
  const start = performance.now();
  const large = await measureTree(process.execPath, ours(join(folder, 'images.npy'), '--limit', '500'));
  const wallSeconds = (performance.now() - start) / 1000;
  if (large.status !== 0) throw new Error(`calibrate ended with ${large.status}:\n${large.stderr}`);
  rows.push(row('ours, all calibrators, 100 images', taken.ours, small.peak));
  rows.push(['ours, all calibrators, 500 images', wallSeconds.toFixed(1), '', megabytes(large.peak)]);
  const shares = ['cpuSeconds', 'wallSeconds'].map((clock) => least(taken.ours, clock) / least(taken.peer, clock));
  const [cpu, wall] = shares.map((share) => share.toFixed(2));
  verdicts.push({
    bar: 'memory',
    met: large.peak < MEMORY,
    says: `${megabytes(large.peak)} MB of ${megabytes(MEMORY)}`,
  });
  verdicts.push({
    bar: 'time',
    met: shares[0] <= 0.5,
    says: `${cpu} of the peer's, at most 0.50 (by the clock ${wall})`,
  });
}
console.log(formatTable([['calibration of MobileNetV2', 's', 'processor s', 'MB'], ...rows]));
for (const { bar, met, says } of verdicts) console.log(`${bar}: ${met ? 'met' : 'MISSED'}: ${says}`);
const resultFile = options.json ?? join(workFolder, 'calibration.json');
writeFileSync(resultFile, `${JSON.stringify({ versions, taken, rows, verdicts }, null, 2)}\n`);
console.log(resultFile);
if (verdicts.some(({ met }) => !met)) process.exitCode = 1;
