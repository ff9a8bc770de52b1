// A run on samples that is none: the command line around it can be tested without time and data.
import { mkdtempSync, rmSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { parseCommandLine, type CommandInput } from '../../src/cli/program.js';
import { recipeFromFlags } from '../../src/cli/recipe-flags.js';
import { Terminal } from '../../src/cli/terminal.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { figuresOf } from '../../src/pipeline/model-facts.js';
import type { Recipe } from '../../src/pipeline/recipe.js';
import type { SampledRunOutcome } from '../../src/pipeline/run-outcome.js';
import type { Side } from '../../src/pipeline/slim.js';

export const FAKE_MODEL = 'bytes of a model';

function fakeSide(name: string, bytes: number): Side {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,2] x) => (float[1,2] y) <float[2,2] w = {1, 2, 3, 4}> { y = MatMul (x, w) }`);
  return {
    file: { name, bytes, gzipBytes: bytes - 1, sha256: 'ab'.repeat(32) },
    figures: figuresOf(model, new Map()),
    times: undefined,
  };
}

/** A model of 1000 bytes that has `bytes` now and lost 0.2 points; its file lies in `folder`. */
export function fakeResult(folder: string, bytes: number): SampledRunOutcome {
  const path = join(folder, 'result.onnx');
  return {
    before: fakeSide('net.onnx', 1000),
    after: fakeSide('result.onnx', bytes),
    comparison: undefined,
    loss: { measure: 'top-1 disagreement', unit: 'points', value: 0.2, interval: undefined, verdict: undefined },
    gate: undefined,
    measurement: undefined,
    speedMeasured: true,
    warnings: [],
    path,
    publish: (to) => rename(path, to),
    dispose: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What was asked of the run, and what was shown. */
export interface FakeRun<Q> {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly request: Q;
}

/** A stream that keeps what is written. */
class Collecting extends Writable {
  readonly columns = 100;
  readonly chunks: Buffer[] = [];
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

/** A command as the program calls it; its run hands on the request and is given the folder of its result. */
type Command<Q> = (input: CommandInput, recipe: Recipe, ask: (request: Q) => Promise<string>) => Promise<number>;

/** Parses a command line of `verb` and runs `command` with it. */
export async function fakeRun<Q>(
  verb: 'quantize' | 'prune' | 'factorize' | 'deepen' | 'slim',
  args: readonly string[],
  command: Command<Q>,
): Promise<FakeRun<Q>> {
  const sink = { version: '0', width: 80, render: () => '', write: () => undefined };
  const parsed = parseCommandLine([verb, ...args], sink);
  if (!parsed) throw new Error('nothing was parsed');
  const [stdout, stderr] = [new Collecting(), new Collecting()];
  const terminal = new Terminal({
    color: 'never',
    verbosity: parsed.flags.quiet ? 'quiet' : 'normal',
    env: {},
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
  });
  const { quantized, pruned, factorized, ...rest } = parsed.flags;
  const output = quantized ?? pruned ?? factorized;
  const flags = output === undefined ? rest : { ...rest, output };
  const input = { args: parsed.args, flags, terminal, signal: new AbortController().signal };
  let request: Q | undefined;
  const status = await command(input, await recipeFromFlags(flags, () => undefined), async (asked) => {
    request = asked;
    const folder = mkdtempSync(join(tmpdir(), 'mcompress-fake-'));
    await writeFile(join(folder, 'result.onnx'), FAKE_MODEL);
    return folder;
  });
  if (request === undefined) throw new Error('the run was not called');
  return { status, stdout: stdout.text, stderr: stderr.text, request };
}
