// Bars of dense algebra: truncated SVD at most 2 times numpy's processor time, eigen at most 10, randomized SVD of 4096x4096 under 4 s.
//   MCOMPRESS_PYTHON=python npm run bench -- factorize-linalg [--rounds N] [--json FILE] [NAME...]
// numpy with one thread in its own process, this package with one thread and the runtime's child counted (Linux); one warm-up, then in
// turns. The median decides: of the rounds' ratios, or where there is no peer of the processor seconds, which are those of the clock where
// nothing else runs, since nothing here runs at once. Values are compared too. Exits with 1 on a miss.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cases } from './factorize/linalg-cases.mjs';
import { startNumpy, startRuntime } from './factorize/linalg-peer.mjs';
import { formatTable, spread } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: { json: { type: 'string' }, rounds: { type: 'string', default: '7' } },
  allowPositionals: true,
});
const rounds = Number(options.rounds);
const scratch = mkdtempSync(join(tmpdir(), 'mcompress-linalg-'));
const numpy = startNumpy();
const runtime = await startRuntime();

function questionOf(one, index, { rows, columns, data }) {
  const file = join(scratch, `${index}.bin`);
  writeFileSync(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return { operation: one.peer, file, rows, columns };
}

async function measure(one, index) {
  const made = (await runtime.run((gemm) => one.make(gemm))).result;
  const question = one.peer && questionOf(one, index, made);
  const runs = { ours: [], peer: [] };
  const turn = {
    ours: async () => runs.ours.push(await runtime.run((gemm) => one.work(gemm, made))),
    peer: async () => question && runs.peer.push(await numpy.ask(question)),
  };
  const before = loadavg()[0];
  for (let round = 0; round <= rounds; round++)
    for (const who of round % 2 === 0 ? ['ours', 'peer'] : ['peer', 'ours']) await turn[who]();
  const load = (before + loadavg()[0]) / 2;
  const { result } = runs.ours.at(-1);
  const error = one.peer
    ? one.error(result, runs.peer.at(-1))
    : (await runtime.run((gemm) => one.error(result, made, gemm))).result;
  const [ours, peer] = [runs.ours.slice(1), runs.peer.slice(1)];
  const measured = one.peer ? spread(ours.map(({ cpu }, i) => cpu / peer[i].cpu)) : spread(ours.map(({ cpu }) => cpu));
  return {
    name: one.name,
    bar: one.bar,
    unit: one.peer ? 'times' : 's',
    measured,
    cpuSeconds: spread(ours.map(({ cpu }) => cpu)),
    peerSeconds: one.peer ? spread(peer.map(({ cpu }) => cpu)) : undefined,
    wallSeconds: spread(ours.map(({ wall }) => wall)),
    numpy: runs.peer[0]?.numpy,
    error,
    allowed: one.allowed,
    load,
    met: measured.median <= one.bar && error <= one.allowed,
  };
}

if (!numpy) {
  console.error('Set MCOMPRESS_PYTHON to a Python that holds numpy.');
  process.exit(2);
}
try {
  const rows = [];
  for (const [index, one] of cases.entries()) {
    if (positionals.length > 0 && !positionals.some((part) => one.name.includes(part))) continue;
    process.stderr.write(`${one.name}\n`);
    rows.push(await measure(one, index));
  }
  const heading = ['', 'cpu s', 'numpy', 'wall s', 'measured', 'from', 'to', 'bar', 'error', 'load', ''];
  const seconds = (value) => value?.median.toFixed(2) ?? '';
  const cells = rows.map((row) => [
    row.name,
    seconds(row.cpuSeconds),
    seconds(row.peerSeconds),
    seconds(row.wallSeconds),
    `${row.measured.median.toFixed(2)} ${row.unit}`,
    row.measured.min.toFixed(2),
    row.measured.max.toFixed(2),
    row.bar,
    row.error.toExponential(1),
    row.load.toFixed(1),
    row.met ? 'met' : 'MISSED',
  ]);
  console.log(formatTable([heading, ...cells]));
  console.log(`\n${rounds} rounds; numpy ${rows.find((row) => row.numpy)?.numpy ?? ''}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  if (rows.some(({ met }) => !met)) process.exitCode = 1;
} finally {
  numpy.end();
  await runtime.end();
  rmSync(scratch, { recursive: true, force: true });
}
