// What calibration saw, to be kept: the state of every value, for which model and of which samples. Caches of parts of the
// same samples merge to what one run over all of them gives, byte by byte.
import { InputError } from '../../base/errors.js';
import { RANGE, type RangeState } from '../../fit/range.js';
import { readRange, writeRange } from './range-text.js';

/** Samples from (included) to (excluded), as positions in the order of the data. */
export interface SamplePart {
  readonly from: number;
  readonly to: number;
}

export interface CalibrationCache {
  /** SHA-256 of the model file, and of its external data where it has any. */
  readonly model: string;
  /** What was fed. `none`: random numbers, see data-free.ts. */
  readonly data: {
    readonly kind: 'samples' | 'none';
    /** SHA-256 of the samples and how they were prepared; empty for `none`. */
    readonly digest: string;
    readonly order: 'stored' | 'shuffled';
    readonly seed: number;
    /** Samples of the whole; undefined where only reading to the end tells. */
    readonly total: number | undefined;
  };
  /** In order, none touching the next. */
  readonly parts: readonly SamplePart[];
  /** Samples that ran. */
  readonly samples: number;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** By the name of the value in the model. */
  readonly values: ReadonlyMap<string, RangeState>;
}

const KIND = 'mcompress-calibration';
const VERSION = 1;

/** A cache as text: the same cache gives the same bytes. */
export function writeCalibration({ values, ...rest }: CalibrationCache): string {
  const { model, data, parts, samples, skipped } = rest;
  // A list: objects would put names like "12" in front.
  const lines = [...values].map(([name, state]) => JSON.stringify({ name, ...writeRange(state) }));
  const head = JSON.stringify({ kind: KIND, version: VERSION, model, data, parts, samples, skipped });
  return `${head.slice(0, -1)},"values":[\n${lines.join(',\n')}\n]}\n`;
}

/**
 * The cache in `text`; `file` names it in messages.
 * @throws InputError bad-data when it is no cache, of another version, or damaged
 */
export function readCalibration(text: string, file: string): CalibrationCache {
  const bad = (message: string, cause?: unknown): InputError =>
    new InputError('bad-data', message, { at: { file }, fix: 'write it anew: mcompress calibrate MODEL', cause });
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (cause) {
    throw bad('the calibration cache is not JSON', cause);
  }
  if (!isRecord(found) || found['kind'] !== KIND) throw bad('the file is no calibration cache');
  if (found['version'] !== VERSION)
    throw bad(`the calibration cache has version ${String(found['version'])}, this mcompress reads version ${VERSION}`);
  const { model, data, parts, samples, skipped, values } = found;
  const whole =
    typeof model === 'string' &&
    isData(data) &&
    Array.isArray(parts) &&
    parts.every(isPart) &&
    typeof samples === 'number' &&
    Array.isArray(skipped) &&
    skipped.every(isSkipped) &&
    Array.isArray(values);
  if (!whole) throw bad('the calibration cache is damaged');
  const states = values.map((state: unknown) => {
    const range = isRecord(state) && typeof state['name'] === 'string' ? readRange(state) : undefined;
    if (!range || !isRecord(state)) throw bad('the calibration cache is damaged: one of its ranges');
    return [String(state['name']), range] as const;
  });
  return { model, data, parts, samples, skipped, values: new Map(states) };
}

/**
 * Refuses a cache of another model, or of other samples where `data` is given.
 * @throws InputError bad-data
 */
export function checkCalibration(
  cache: CalibrationCache,
  file: string,
  expected: { readonly model: string; readonly data?: string },
): void {
  const differs =
    cache.model !== expected.model
      ? 'another model'
      : expected.data !== undefined && cache.data.digest !== expected.data
        ? 'other samples, or samples prepared in another way'
        : undefined;
  if (differs === undefined) return;
  throw new InputError('bad-data', `the calibration cache was made of ${differs}`, {
    at: { file },
    fix: 'write it anew for this model and these samples: mcompress calibrate MODEL --data PATH',
  });
}

/** One cache to merge, and how it is called in messages. */
export interface NamedCache {
  readonly file: string;
  readonly cache: CalibrationCache;
}

/**
 * The cache of all samples of `caches`: what one run over them gives, whatever the order in which they are named.
 * @throws InputError bad-data when they are of different models, samples or values, or have samples in common, or when
 *   samples of one lie between those of another
 */
export function mergeCalibrations(caches: readonly NamedCache[]): CalibrationCache {
  const ordered = caches.toSorted((a, b) => (a.cache.parts[0]?.from ?? 0) - (b.cache.parts[0]?.from ?? 0));
  return ordered.reduce((merged, next) => ({ file: next.file, cache: mergeTwo(merged, next) })).cache;
}

function mergeTwo(first: NamedCache, second: NamedCache): CalibrationCache {
  const [a, b] = [first.cache, second.cache];
  const refuse = (why: string, fix: string): InputError =>
    new InputError('bad-data', `calibration caches cannot be merged: ${why}`, { at: { file: second.file }, fix });
  const same = 'merge shards of one calibration: the same model, data, preprocessing, --limit and --seed';
  if (a.model !== b.model) throw refuse('they are of different models', same);
  if (JSON.stringify(a.data) !== JSON.stringify(b.data)) throw refuse('they are of different samples', same);
  if ([...a.values.keys()].join('\n') !== [...b.values.keys()].join('\n'))
    throw refuse('they hold different values', same);
  const end = a.parts.at(-1)?.to ?? 0;
  const start = b.parts[0]?.from ?? end;
  if (start < end)
    throw refuse(
      `sample ${start} is in more than one, or lies between those of another`,
      'name every shard once, all in one command',
    );
  const parts = [...a.parts, ...b.parts].reduce<SamplePart[]>((joined, part) => {
    const last = joined.at(-1);
    if (last?.to !== part.from) return [...joined, part];
    return [...joined.slice(0, -1), { from: last.from, to: part.to }];
  }, []);
  const values = [...a.values].map(([name, state]) => {
    const other = b.values.get(name);
    return [name, other ? RANGE.merge(state, other) : state] as const;
  });
  return {
    ...a,
    parts,
    samples: a.samples + b.samples,
    skipped: [...a.skipped, ...b.skipped],
    values: new Map(values),
  };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isPart = (value: unknown): value is SamplePart =>
  isRecord(value) && Number.isInteger(value['from']) && Number.isInteger(value['to']);

const isSkipped = (value: unknown): value is CalibrationCache['skipped'][number] =>
  isRecord(value) && typeof value['name'] === 'string' && typeof value['reason'] === 'string';

const isData = (value: unknown): value is CalibrationCache['data'] =>
  isRecord(value) &&
  (value['kind'] === 'samples' || value['kind'] === 'none') &&
  typeof value['digest'] === 'string' &&
  (value['order'] === 'stored' || value['order'] === 'shuffled') &&
  Number.isInteger(value['seed']) &&
  (value['total'] === undefined || Number.isInteger(value['total']));
