// How far the model as it stands is from the float model at its outputs, on a few calibration samples kept in memory with
// what the float model answers to them. Behind a Softmax or Sigmoid only undecided samples show an error at all, so there
// the scores in front of it are compared.
import type { Value } from '../../ir/value.js';
import { isFloat } from '../../tensor/dtype.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { instrument } from '../instrument.js';
import { firstFeeds, type QuantizationBench } from './bench.js';

interface Answer {
  readonly feeds: TensorMap;
  readonly outputs: Answered;
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
    const file = await watched(bench);
    for await (const feeds of firstFeeds(bench.feeds(), samples)) {
      bytes += [...feeds.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
      if (answers.length > 0 && bytes > FEED_BYTES) break;
      answers.push({ feeds, outputs: await answer(bench, file, feeds) });
    }
    await bench.workspace.remove(file.path);
    return new OutputReference(bench, answers);
  }

  /** Noise over signal of the model as it stands, the mean over outputs: each output counts alike, whatever its size. */
  async error(): Promise<number> {
    const file = await watched(this.#bench);
    const noise = file.names.map(() => 0);
    const energy = file.names.map(() => 0);
    for (const { feeds, outputs } of this.#answers) {
      const found = await answer(this.#bench, file, feeds);
      for (const [at, wanted] of outputs.entries()) {
        if (!wanted) continue;
        const got = found[at];
        noise[at] = (noise[at] ?? 0) + (got?.length === wanted.length ? distance(wanted, got) : Infinity);
        energy[at] = (energy[at] ?? 0) + wanted.reduce((sum, x) => sum + x * x, 0);
      }
    }
    await this.#bench.workspace.remove(file.path);
    const shares = noise.flatMap((sum, at) => (energy[at] ? [sum / energy[at]] : []));
    return shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
  }
}

/** Numbers in the order of the outputs of the model; undefined for outputs that are not floats. */
type Answered = readonly (Float64Array | undefined)[];

/** A file with what is compared as outputs, and their names. */
interface Watched {
  readonly path: string;
  readonly names: readonly string[];
}

async function watched({ decoded, workspace }: QuantizationBench): Promise<Watched> {
  const values = decoded.model.graph.outputs.map(scoresOf);
  const { path } = await instrument(decoded, values, workspace);
  return { path, names: values.map(({ name }) => name) };
}

const SQUASHING: ReadonlySet<string> = new Set(['Softmax', 'LogSoftmax', 'Sigmoid']);
const PASSING: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity', 'Dropout']);

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
