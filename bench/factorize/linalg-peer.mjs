// Who works for the bench of dense algebra: numpy in a process of its own, and this package with the runtime's child, both by processor time.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { matrix } from '../../dist/linalg/matrix.js';
import { runtimeGemm } from '../../dist/runtime/gemm.js';
import { RuntimeHost } from '../../dist/runtime/host.js';
import { python, root } from '../models.mjs';

const ONE_THREAD = { OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };

/** numpy, kept running: `ask` resolves to seconds and values. Undefined without a Python. */
export function startNumpy() {
  if (!python) return undefined;
  const child = spawn(python, [join(root, 'bench/peers/linalg.py')], {
    env: { ...process.env, ...ONE_THREAD },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((_, reject) => {
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`numpy ended with ${code}`)));
  });
  ended.catch(() => undefined);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value } = await Promise.race([answers.next(), ended]);
    return JSON.parse(value);
  };
  return { ask, end: () => child.stdin.end() };
}

/** Clock ticks of Linux, in seconds. */
const TICK = 0.01;

/** Processor seconds of a process so far (Linux). */
function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** This package: `run` gives work the runtime's products and counts both processes. */
export async function startRuntime() {
  const host = new RuntimeHost();
  const gemm = runtimeGemm(host);
  await gemm(matrix(2, 2), matrix(2, 2));
  const run = async (work) => {
    const [child, own, start] = [processorSeconds(host.pid), process.cpuUsage(), performance.now()];
    const result = await work(gemm);
    const wall = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(own);
    return { result, wall, cpu: (user + system) / 1e6 + processorSeconds(host.pid) - child };
  };
  return { run, end: () => host.dispose() };
}
