// Memory of a program with all its child processes, from /proc (Linux).
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const INTERVAL = 10;

function readProc(path) {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return '';
  }
}

/** `pid` and the processes below it: Node starts them from its main thread. */
function family(pid) {
  const members = [pid];
  for (const member of members)
    members.push(...readProc(`${member}/task/${member}/children`).split(' ').filter(Boolean).map(Number));
  return members;
}

const kilobytes = (text, field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;

/**
 * Runs a command. `peak`: bytes, the largest sum of resident memory seen at one time, where each process counts with what
 * it has alone plus its share of what it shares (Pss). `main`: the largest resident memory of the first process.
 * `together`: the sum of every process's own peak, which they need not have had at the same time: an upper bound.
 */
export async function measureTree(command, args, { env } = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'])
    child[stream].setEncoding('utf8').on('data', (text) => (output[stream] += text));
  const peaks = new Map();
  let peak = 0;
  const sample = () => {
    let sum = 0;
    for (const pid of family(child.pid)) {
      const highest = kilobytes(readProc(`${pid}/status`), 'VmHWM');
      if (highest > 0) peaks.set(pid, highest);
      sum += kilobytes(readProc(`${pid}/smaps_rollup`), 'Pss');
    }
    peak = Math.max(peak, sum);
  };
  const timer = setInterval(sample, INTERVAL);
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  }).finally(() => clearInterval(timer));
  const together = [...peaks.values()].reduce((sum, bytes) => sum + bytes, 0);
  return { status, peak, main: peaks.get(child.pid) ?? 0, together, processes: peaks.size, ...output };
}
