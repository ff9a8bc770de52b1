// From a stored sample to the feeds of the model.
import { isFloat, isNumeric } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { castTensor, describeArray, exactDims, feedDims, pictureDims } from './array-input.js';
import type { InputPort } from './data-set.js';
import { pictureInput, pictureTensor, type PictureInput } from './picture-input.js';
import { parsePreprocess, type Preprocess, type PreprocessSettings } from './preprocess.js';
import { badData, type Picture, type StoredSample } from './source.js';

/** What was done to a sample, for the warnings. */
export interface FeedFacts {
  /** Preprocessing taken without being asked. */
  assumed: string | undefined;
  /** The picture was smaller than the input. */
  enlarged: boolean;
}

export interface MadeFeeds {
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly facts: FeedFacts;
}

export interface FeedMaker {
  /** What pictures get: `imagenet:resize=256`, and what is assumed without `--preprocess`. */
  readonly preprocess: Preprocess;
  /** @throws InputError bad-data for a sample that does not fit the inputs */
  make(sample: StoredSample, name: string): MadeFeeds;
}

/**
 * Without `preprocess`, floats stay as they are, and 8-bit pictures get what most models of that kind want: `raw` for integer
 * inputs, `unit` for grey ones, else `imagenet` (said by a warning).
 * @throws UsageError bad-value when the preprocessing contradicts the inputs
 */
export function createFeedMaker(inputs: readonly InputPort[], preprocess: Preprocess | undefined): FeedMaker {
  const ports = new Map(inputs.map((port) => [port.name, port]));
  const pictured = pictureInputs(inputs);
  const chosen = preprocess ?? parsePreprocess(assumedPreset(pictured[0]));
  const takers = new Map(pictured.map((port) => [port.name, pictureInput(port, chosen.settings)]));
  const raw = parsePreprocess('raw').settings;

  const fromPicture = (
    picture: Picture,
    port: InputPort,
    { facts, name, origin }: { facts: FeedFacts; name: string; origin: 'file' | 'array' },
  ): Tensor => {
    const taker = takers.get(port.name);
    if (!taker) throw badData(name, notForPictures(port), { fix: 'give .npy or .npz files, or a module' });
    const plain = !(picture.data instanceof Uint8Array) && preprocess === undefined;
    if (!plain && preprocess === undefined) facts.assumed = chosen.preset;
    facts.enlarged ||= isEnlarged(picture, taker);
    const settings: PreprocessSettings = plain ? { ...raw, layout: chosen.settings.layout } : chosen.settings;
    return pictureTensor(picture, taker, origin === 'array' ? ownSize(settings, taker) : settings, name);
  };

  const fromArray = (array: Tensor, port: InputPort, facts: FeedFacts, name: string): Tensor => {
    if (!isNumeric(array.dtype)) throw misfit(array, port, name);
    const shape = takers.get(port.name) ? pictureDims(array.dims, port) : undefined;
    const asPicture =
      shape && (array.dtype === 'uint8' || (isFloat(array.dtype) && (preprocess || !exactDims(array.dims, port))));
    if (asPicture) return fromPicture({ ...shape, data: pictureData(array) }, port, { facts, name, origin: 'array' });
    const dims = feedDims(array.dims, port);
    if (!dims) throw misfit(array, port, name);
    return castTensor(array, port.dtype, dims);
  };

  return {
    preprocess: chosen,
    make: (sample, name) => {
      const facts: FeedFacts = { assumed: undefined, enlarged: false };
      if (sample.kind === 'picture') {
        const [port] = inputs;
        if (!port || inputs.length > 1)
          throw badData(name, `the model takes ${inputs.length} inputs, a picture is one`, {
            fix: 'give .npz files with an array per input, or a module',
          });
        return {
          feeds: new Map([[port.name, fromPicture(sample.picture, port, { facts, name, origin: 'file' })]]),
          facts,
        };
      }
      const feeds = new Map<string, Tensor>();
      for (const [key, array] of namedArrays(sample.arrays, ports, name))
        feeds.set(key.name, fromArray(array, key, facts, name));
      return { feeds, facts };
    },
  };
}

/** Inputs that may take pictures: those of four axes; without one, the first. */
function pictureInputs(inputs: readonly InputPort[]): readonly InputPort[] {
  const planar = inputs.filter((port) => port.dims.length === 4);
  return planar.length > 0 ? planar : inputs.slice(0, 1);
}

function assumedPreset(port: InputPort | undefined): string {
  if (port && !isFloat(port.dtype)) return 'raw';
  return port?.dims.length === 3 || port?.dims[1] === 1 || port?.dims[3] === 1 ? 'unit' : 'imagenet';
}

/** Arrays were made for the model: where it leaves the size open, theirs is the right one. */
function ownSize(settings: PreprocessSettings, { height, width }: PictureInput): PreprocessSettings {
  return height === undefined && width === undefined ? { ...settings, resize: { kind: 'none' } } : settings;
}

function isEnlarged(picture: Picture, { height = 0, width = 0 }: PictureInput): boolean {
  return picture.height < height || picture.width < width;
}

function pictureData(array: Tensor): Picture['data'] {
  return array.dtype === 'uint8' ? array.bytes() : Float32Array.from(array.toFloat64());
}

function namedArrays(
  arrays: ReadonlyMap<string, Tensor>,
  ports: ReadonlyMap<string, InputPort>,
  name: string,
): [InputPort, Tensor][] {
  const only = arrays.get('');
  const named: [string, Tensor][] = only && ports.size === 1 ? [[[...ports.keys()][0] ?? '', only]] : [...arrays];
  for (const port of ports.keys()) {
    if (!named.some(([key]) => key === port))
      throw badData(name, `the sample has nothing for the input "${port}"`, {
        fix: `give an array per input: ${[...ports.keys()].join(', ')}`,
      });
  }
  return named.flatMap(([key, array]) => {
    const port = ports.get(key);
    return port ? [[port, array] as [InputPort, Tensor]] : [];
  });
}

const notForPictures = (port: InputPort): string =>
  `the input "${port.name}" takes ${describeArray(port.dims, port.dtype)}, which is no picture`;

function misfit(array: Tensor, port: InputPort, name: string): Error {
  const is = describeArray(array.dims, array.dtype);
  return badData(
    name,
    `an array ${is} does not fit the input "${port.name}", which takes ${describeArray(port.dims, port.dtype)}`,
    { fix: 'store samples in the shape of the input' },
  );
}
