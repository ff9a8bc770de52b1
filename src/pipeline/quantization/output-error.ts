// How far the model as it stands is from the float model at its outputs, on a few calibration samples kept in memory with
// what the float model answers to them. Behind a Softmax or Sigmoid only undecided samples show an error at all, so there
// the scores in front of it are compared.
import type { Value } from '../../ir/value.js';
import type { DecodedModel } from '../../onnx/decode.js';
import { isFloat } from '../../tensor/dtype.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { instrument } from '../instrument.js';
import { firstFeeds, type QuantizationBench } from './bench.js';

interface Answer {
  readonly feeds: TensorMap;
  readonly outputs: Answered;
}

/** Numbers in the order of the outputs of the model; undefined for outputs that are not floats. */
type Answered = readonly (Float64Array | undefined)[];

/** A model file that returns what is compared, and under which names. */
export interface Watched {
  readonly path: string;
  readonly names: readonly string[];
}

/** Which samples are looked at. */
export interface JudgedSamples {
  readonly samples: number;
  /** Samples in front of these. */
  readonly skipped?: number;
}

/** Bytes of feeds that are kept. */
const FEED_BYTES = 48 * 2 ** 20;

export class OutputReference {
  readonly #bench: QuantizationBench;
  readonly #float: Watched;
  /** By the samples. */
  readonly #answers = new Map<string, Promise<readonly Answer[]>>();

  private constructor(bench: QuantizationBench, float: Watched) {
    this.#bench = bench;
    this.#float = float;
  }

  /** `float`: a model with the same outputs; by default the model as it stands. */
  static async of(bench: QuantizationBench, float: DecodedModel = bench.decoded): Promise<OutputReference> {
    return new OutputReference(bench, await watch({ ...bench, decoded: float }));
  }

  /**
   * Noise over signal of the model as it stands, the mean over outputs: each output counts alike, whatever its size. An output
   * that it does not get right at all counts as 1.
   */
  async noise(judged: JudgedSamples): Promise<number> {
    const answers = await this.#answersTo(judged);
    const file = await watch(this.#bench);
    const noise = file.names.map(() => 0);
    const energy = file.names.map(() => 0);
    const seen = file.names.map(() => false);
    for (const { feeds, outputs } of answers) {
      const found = await answer(this.#bench, file, feeds);
      for (const [at, wanted] of outputs.entries()) {
        if (!wanted) continue;
        const got = found[at];
        seen[at] = true;
        noise[at] = (noise[at] ?? 0) + (got?.length === wanted.length ? distance(wanted, got) : Infinity);
        energy[at] = (energy[at] ?? 0) + wanted.reduce((sum, x) => sum + x * x, 0);
      }
    }
    await this.#bench.workspace.remove(file.path);
    const shares = noise.flatMap((sum, at) => (seen[at] ? [shareOf(sum, energy[at] ?? 0)] : []));
    return shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
  }

  #answersTo({ samples, skipped = 0 }: JudgedSamples): Promise<readonly Answer[]> {
    const key = `${skipped} ${samples}`;
    const answers = this.#answers.get(key) ?? this.#gather(samples, skipped);
    this.#answers.set(key, answers);
    return answers;
  }

  async #gather(samples: number, skipped: number): Promise<readonly Answer[]> {
    const answers: Answer[] = [];
    let bytes = 0;
    for await (const feeds of firstFeeds(this.#bench.feeds(), samples, skipped)) {
      bytes += [...feeds.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
      if (answers.length > 0 && bytes > FEED_BYTES) break;
      answers.push({ feeds, outputs: await answer(this.#bench, this.#float, feeds) });
    }
    return answers;
  }
}

function shareOf(noise: number, energy: number): number {
  if (noise === 0) return 0;
  const share = noise / energy;
  return Number.isFinite(share) ? share : 1;
}

/** Writes the model as it stands so that it returns what is compared. */
async function watch({ decoded, workspace }: QuantizationBench): Promise<Watched> {
  const values = decoded.model.graph.outputs.map(scoresOf);
  const { outputs } = decoded.model.graph;
  const inside = values.filter((value) => !outputs.includes(value));
  const { path } = await instrument(decoded, inside, workspace);
  return { path, names: values.map(({ name }) => name) };
}

const SQUASHING: ReadonlySet<string> = new Set(['Softmax', 'LogSoftmax', 'Sigmoid']);
const PASSING: ReadonlySet<string> = new Set([
  ...['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity', 'Dropout', 'QuantizeLinear', 'DequantizeLinear'],
]);

/** What goes into the Softmax or Sigmoid that gives `output`, or `output` itself. */
function scoresOf(output: Value): Value {
  let value = output;
  while (value.producer && PASSING.has(value.producer.opType) && value.producer.inputs[0])
    [value = output] = value.producer.inputs;
  const { producer } = value;
  const [scores] = producer && SQUASHING.has(producer.opType) ? producer.inputs : [];
  return scores?.producer ? scores : output;
}

async function answer(
  { host, signal }: QuantizationBench,
  { path, names }: Watched,
  feeds: TensorMap,
): Promise<Answered> {
  const outputs = await host.run(path, feeds, { signal, outputs: [...new Set(names)] });
  return names.map((name) => {
    const tensor = outputs.get(name);
    return tensor && isFloat(tensor.dtype) ? tensor.toFloat64() : undefined;
  });
}

function distance(wanted: Float64Array, got: Float64Array): number {
  return wanted.reduce((sum, x, i) => sum + (x - (got[i] ?? 0)) ** 2, 0);
}
