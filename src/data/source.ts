// What a kind of data must provide: samples as they are stored, before preprocessing. One file per kind in sources/, one line
// per kind in registry.ts.
import { InputError } from '../base/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import type { InputPort } from './data-set.js';

/** A picture: 8-bit values 0..255, or floats that are used as they are. */
export interface Picture {
  readonly data: Uint8Array | Float32Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** `hwc`: the channels of a pixel stand together; `chw`: one plane per channel. */
  readonly layout: 'hwc' | 'chw';
}

/** A sample as it is stored: a picture, or arrays by input ('' where the model has one). */
export type StoredSample =
  | { readonly kind: 'picture'; readonly picture: Picture }
  | { readonly kind: 'arrays'; readonly arrays: ReadonlyMap<string, Tensor> };

interface SourceFacts {
  /** Words for messages and reports: `image folder`. */
  readonly kind: string;
  /** Names of the classes by index, where known. */
  readonly classes: readonly string[] | undefined;
  /** Where the labels come from: `sub-folders`, `labels.csv`; undefined without labels. */
  readonly labelsFrom: string | undefined;
  /** What the reader of a report should know: files left out, and the like. */
  readonly notes: readonly string[];
}

/** Samples that can be read in any order. */
export interface IndexedSource extends SourceFacts {
  readonly access: 'indexed';
  readonly size: number;
  /** A label per sample; undefined without labels. */
  readonly labels: readonly number[] | undefined;
  name(index: number): string;
  /** @throws InputError bad-data, bad-feed for a sample that cannot be read */
  read(index: number): Promise<StoredSample>;
  /** All content in stored order, in pieces of bounded size: what `DataSet.digest` hashes. */
  content(): AsyncIterable<Uint8Array | string>;
}

export interface StreamedSample {
  readonly name: string;
  readonly label: number | undefined;
  readonly sample: StoredSample;
}

/** Samples that come one after the other, as often as asked. */
export interface StreamedSource extends SourceFacts {
  readonly access: 'streamed';
  stream(): AsyncIterable<StreamedSample>;
}

export type Source = IndexedSource | StreamedSource;

/** What lies at the path, looked at once for all kinds. */
export interface Place {
  readonly path: string;
  /** Base name in lower case, without `.gz`. */
  readonly name: string;
  readonly form: 'file' | 'folder';
  /** The first bytes of a file (unpacked when it ends in .gz); none of a folder. */
  readonly head: Uint8Array;
  /** Names in a folder (files only, hidden ones left out), sorted by code unit; none of a file. */
  readonly files: readonly string[];
  /** Names of sub-folders, likewise. */
  readonly folders: readonly string[];
}

export interface SourceRequest {
  readonly place: Place;
  /** From PATH#PART: which part of what holds several (`train`, `test`). */
  readonly part: string | undefined;
  readonly inputs: readonly InputPort[];
  /** File of labels, when given. */
  readonly labels: string | undefined;
}

export interface SourceKind {
  readonly kind: string;
  /** One line for the message that lists what is understood. */
  readonly looksLike: string;
  /** What may hold several parts (`PATH#test`): the folder, the file, or neither. */
  readonly parts: Place['form'] | 'none';
  /** True when the place holds this kind; looking must be cheap. */
  recognises(place: Place): boolean;
  /** @throws InputError bad-data, bad-feed; UsageError bad-value */
  open(request: SourceRequest): Promise<Source>;
}

/** The error of data that cannot be used. */
export function badData(file: string, why: string, details: { fix?: string; cause?: unknown } = {}): InputError {
  return new InputError('bad-data', why, { at: { file }, ...details });
}
