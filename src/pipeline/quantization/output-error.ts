// How far the model as it stands is from the float model at its outputs, on a few calibration samples kept in memory with
// what the float model answers to them.
import type { Tensor } from '../../tensor/tensor.js';
import { isFloat } from '../../tensor/dtype.js';
import { writeModel } from '../../onnx/write.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { firstFeeds, type QuantizationBench } from './bench.js';

interface Answer {
  readonly feeds: TensorMap;
  readonly outputs: ReadonlyMap<string, Float64Array>;
}

/** Bytes of feeds that are kept. */
const FEED_BYTES = 48 * 2 ** 20;

export class OutputReference {
  readonly #bench: QuantizationBench;
  readonly #answers: readonly Answer[];

  private constructor(bench: QuantizationBench, answers: readonly Answer[]) {
    this.#bench = bench;
    this.#answers = answers;
  }

  /** Runs the model as it stands, which is the float one, on up to `samples` samples. */
  static async gather(bench: QuantizationBench, samples: number): Promise<OutputReference> {
    const answers: Answer[] = [];
    let bytes = 0;
    const path = await written(bench);
    for await (const feeds of firstFeeds(bench.feeds(), samples)) {
      bytes += [...feeds.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
      if (answers.length > 0 && bytes > FEED_BYTES) break;
      answers.push({ feeds, outputs: numbersOf(await bench.host.run(path, feeds, { signal: bench.signal })) });
    }
    await bench.workspace.remove(path);
    return new OutputReference(bench, answers);
  }

  /**
   * Noise over signal of the model as it stands, the mean over outputs: each output counts alike, whatever its size.
   */
  async error(): Promise<number> {
    const { host, workspace, signal } = this.#bench;
    const path = await written(this.#bench);
    const noise = new Map<string, number>();
    const energy = new Map<string, number>();
    for (const { feeds, outputs } of this.#answers) {
      const found = numbersOf(await host.run(path, feeds, { signal }));
      for (const [name, wanted] of outputs) {
        const got = found.get(name);
        noise.set(name, (noise.get(name) ?? 0) + (got?.length === wanted.length ? distance(wanted, got) : Infinity));
        energy.set(name, (energy.get(name) ?? 0) + wanted.reduce((sum, x) => sum + x * x, 0));
      }
    }
    await workspace.remove(path);
    const shares = [...noise].map(([name, sum]) => sum / Math.max(energy.get(name) ?? 0, Number.MIN_VALUE));
    return shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
  }
}

async function written({ decoded, workspace }: QuantizationBench): Promise<string> {
  const path = workspace.path('candidate.onnx');
  await writeModel(decoded.document, decoded.model, path);
  return path;
}

function numbersOf(outputs: ReadonlyMap<string, Tensor>): Map<string, Float64Array> {
  return new Map(
    [...outputs].filter(([, { dtype }]) => isFloat(dtype)).map(([name, tensor]) => [name, tensor.toFloat64()]),
  );
}

function distance(wanted: Float64Array, got: Float64Array): number {
  return wanted.reduce((sum, x, i) => sum + (x - (got[i] ?? 0)) ** 2, 0);
}
