// A quantization run that is none: the command line around it can be tested without time and data.
import { mkdtempSync, rmSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { parseModel } from '../../src/ir/text/parse.js';
import { figuresOf } from '../../src/pipeline/model-facts.js';
import type { QuantizeOutcome, QuantizeRequest } from '../../src/pipeline/quantization/outcome.js';
import type { Side } from '../../src/pipeline/slim.js';
import { runInt8 } from '../../src/cli/int8-run.js';
import type { FlagValues } from '../../src/cli/parsed-flags.js';
import { Terminal } from '../../src/cli/terminal.js';
import { parseCommandLine } from '../../src/cli/program.js';
import { recipeFromFlags } from '../../src/cli/recipe-flags.js';

export const FAKE_MODEL = 'quantized bytes';

export function fakeSide(name: string, bytes: number): Side {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,2] x) => (float[1,2] y) <float[2,2] w = {1, 2, 3, 4}> { y = MatMul (x, w) }`);
  return {
    file: { name, bytes, gzipBytes: bytes - 1, sha256: 'ab'.repeat(32) },
    figures: figuresOf(model, new Map()),
    times: undefined,
  };
}

/** What a run gives unless told otherwise: one fused layer, one float one, 0.2 points lost. */
export function fakeOutcome(folder: string, changes: Partial<QuantizeOutcome> = {}): QuantizeOutcome {
  const path = join(folder, 'result.onnx');
  const planned = { node: 'conv', opType: 'Conv', output: 'c', kind: 'product' };
  return {
    before: fakeSide('net.onnx', 1000),
    after: fakeSide('result.onnx', 300),
    nodes: [
      {
        node: 'conv',
        opType: 'Conv',
        form: 'int8',
        reason: undefined,
        fused: true,
        signalToNoise: 31.5,
        saturating: 0.5,
      },
      {
        node: 'lrn',
        opType: 'LRN',
        form: 'float',
        reason: 'no-int8-kernel',
        fused: undefined,
        signalToNoise: undefined,
      },
    ],
    values: [
      {
        value: 'x',
        range: { min: 0, max: 1 },
        observed: { min: 0, max: 2 },
        scale: 1 / 255,
        zeroPoint: 0,
        calibrator: 'mse',
      },
    ],
    proof: {
      nodes: [{ planned, fused: true, ranAs: 'QLinearConv', cause: undefined, detail: undefined }],
      conversions: [],
      quantizedAtLoad: [],
    },
    equalizedLayers: 1,
    correctedBiases: 1,
    comparison: undefined,
    loss: { measure: 'top-1 disagreement', unit: 'points', value: 0.2, interval: undefined, verdict: undefined },
    steps: [],
    gate: undefined,
    measurement: undefined,
    kept: 'int8',
    speedMeasured: true,
    calibration: { samples: 100, seconds: 1.5, dataFree: false },
    scored: 500,
    warnings: [],
    path,
    publish: (to) => rename(path, to),
    dispose: async () => rmSync(folder, { recursive: true, force: true }),
    ...changes,
  };
}

export interface FakeRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly request: QuantizeRequest;
}

/** A stream that keeps what is written. */
export class Collecting extends Writable {
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

/** Parses a command line of `quantize`, runs it with a run that gives `outcome`, and says what was asked and shown. */
export async function fakeQuantize(args: readonly string[], changes: Partial<QuantizeOutcome> = {}): Promise<FakeRun> {
  const sink = { version: '0', width: 80, render: () => '', write: () => undefined };
  const parsed = parseCommandLine(['quantize', ...args], sink);
  if (!parsed) throw new Error('nothing was parsed');
  const [stdout, stderr] = [new Collecting(), new Collecting()];
  const terminal = new Terminal({
    color: 'never',
    verbosity: parsed.flags.quiet ? 'quiet' : 'normal',
    env: {},
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
  });
  const { quantized, ...rest } = parsed.flags;
  const flags: FlagValues = quantized === undefined ? rest : { ...rest, output: quantized };
  let asked: QuantizeRequest | undefined;
  const status = await runInt8(
    { args: parsed.args, flags, terminal, signal: new AbortController().signal },
    await recipeFromFlags(flags, () => undefined),
    'int8',
    {
      quantize: async (request) => {
        asked = request;
        const folder = mkdtempSync(join(tmpdir(), 'mcompress-fake-'));
        await writeFile(join(folder, 'result.onnx'), FAKE_MODEL);
        return fakeOutcome(folder, changes);
      },
    },
  );
  if (!asked) throw new Error('the run was not called');
  return { status, stdout: stdout.text, stderr: stderr.text, request: asked };
}
