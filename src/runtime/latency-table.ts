// Latencies of single layers on one machine: signature (`Conv 1x64x28x28 w64x64x3x3 s1 p1 g1 float32`) to microseconds.
// Measured once through a port, kept in the user's cache folder, or read from a file so that runs repeat exactly.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../base/errors.js';
import { machineFingerprint, type Machine } from './machine.js';

/** What the entries of a table hold for. */
export interface TableIdentity {
  readonly cpu: string;
  readonly fingerprint: string;
  /** Version of ONNX Runtime. */
  readonly runtime: string;
  readonly threads: number;
}

/** Measures one layer given as a model: median microseconds per run. */
export type MeasureLayer = (signature: string, model: Uint8Array) => Promise<number>;

export interface LatencyTable {
  readonly identity: TableIdentity;
  /** `own`: measured on this machine, extended when asked; `foreign`: a table of another machine, runtime or thread count. */
  readonly origin: 'own' | 'foreign';
  readonly size: number;
  /** Microseconds, or undefined when the table has no such entry. */
  lookup(signature: string): number | undefined;
  /**
   * Microseconds, measured now if they are missing. A foreign table is never mixed with own measurements: there a
   * missing entry is undefined.
   */
  measure(signature: string, build: () => Uint8Array): Promise<number | undefined>;
  /** Writes what was added to where the table came from; nothing for a foreign table or when nothing was added. */
  save(): void;
  /** Writes the table to `file`. @throws InputError not-writable */
  exportTo(file: string): void;
}

export interface TableOptions {
  readonly machine: Machine;
  readonly threads: number;
  readonly measure: MeasureLayer;
  /** The user's table; created by `save` when it does not exist. Without it the cache is used. */
  readonly file?: string;
  /** Default: `cacheFolder()`. */
  readonly folder?: string;
}

const SCHEMA = 'mcompress-latency-table';
const VERSION = 1;
const SIZE_LIMIT = 2 ** 24;
const ENTRY_LIMIT = 50_000;
const SIGNATURE_LIMIT = 500;

/** `$XDG_CACHE_HOME/mcompress`, else `~/.cache/mcompress`. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'mcompress');
}

/**
 * Opens the user's table, or the cached one of this machine, runtime and thread count. A damaged cache is begun anew.
 * @throws InputError not-readable, bad-report (the user's file)
 */
export function openLatencyTable(options: TableOptions): LatencyTable {
  const identity: TableIdentity = {
    cpu: options.machine.cpu,
    fingerprint: machineFingerprint(options.machine),
    runtime: options.machine.onnxruntime,
    threads: options.threads,
  };
  if (options.file !== undefined) {
    const stored = readTable(options.file, identity);
    return makeTable(stored, { identity, file: options.file, measure: options.measure });
  }
  const file = join(
    options.folder ?? cacheFolder(),
    `latency-${identity.fingerprint}-${identity.runtime}-${identity.threads}.json`,
  );
  return makeTable(readCache(file, identity), { identity, file, measure: options.measure });
}

interface Stored {
  readonly identity: TableIdentity;
  readonly entries: Map<string, number>;
}
interface TablePlace {
  readonly identity: TableIdentity;
  readonly file: string;
  readonly measure: MeasureLayer;
}

function makeTable({ identity, entries }: Stored, place: TablePlace): LatencyTable {
  const origin = sameIdentity(identity, place.identity) ? 'own' : 'foreign';
  const running = new Map<string, Promise<number>>();
  let added = 0;
  const measure = async (signature: string, build: () => Uint8Array): Promise<number> => {
    try {
      const us = rounded(await place.measure(signature, build()));
      if (entries.size < ENTRY_LIMIT && signature.length <= SIGNATURE_LIMIT) {
        entries.set(signature, us);
        added++;
      }
      return us;
    } finally {
      running.delete(signature);
    }
  };
  return {
    identity,
    origin,
    get size() {
      return entries.size;
    },
    lookup: (signature) => entries.get(signature),
    measure: async (signature, build) => {
      const known = entries.get(signature);
      if (known !== undefined || origin === 'foreign') return known;
      const pending = running.get(signature) ?? measure(signature, build);
      running.set(signature, pending);
      return pending;
    },
    save: () => {
      if (added === 0 || origin === 'foreign') return;
      writeTable(place.file, { identity, entries });
      added = 0;
    },
    exportTo: (file) => writeTable(file, { identity, entries }),
  };
}

/** The same after writing and reading. */
function rounded(us: number): number {
  return Number(us.toPrecision(5));
}

function sameIdentity(a: TableIdentity, b: TableIdentity): boolean {
  return a.fingerprint === b.fingerprint && a.runtime === b.runtime && a.threads === b.threads;
}

function readCache(file: string, identity: TableIdentity): Stored {
  try {
    const stored = readTable(file, identity);
    if (sameIdentity(stored.identity, identity)) return stored;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  return { identity, entries: new Map() };
}

/** The table in `file`, or an empty one of `identity` when there is no such file. */
function readTable(file: string, identity: TableIdentity): Stored {
  let text: string;
  try {
    if (statSync(file).size > SIZE_LIMIT) throw invalid(file, `it is over ${SIZE_LIMIT} bytes`);
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { identity, entries: new Map() };
    if (cause instanceof InputError) throw cause;
    throw new InputError('not-readable', 'the latency table cannot be read', { at: { file: basename(file) }, cause });
  }
  return parseTable(text, file);
}

function invalid(file: string, why: string): InputError {
  const details = { at: { file: basename(file) }, fix: 'write one with --latency-table NEWFILE' };
  return new InputError('bad-report', `the file is not a latency table: ${why}`, details);
}

function parseTable(text: string, file: string): Stored {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid(file, 'it is not JSON');
  }
  if (!isRecord(json) || json['schema'] !== SCHEMA) throw invalid(file, `"schema" is not "${SCHEMA}"`);
  if (json['version'] !== VERSION)
    throw invalid(file, `its version is ${String(json['version'])}, this program reads ${VERSION}`);
  const { cpu, fingerprint, runtime, threads, microseconds } = json;
  if (typeof cpu !== 'string' || typeof fingerprint !== 'string' || typeof runtime !== 'string') {
    throw invalid(file, '"cpu", "fingerprint" or "runtime" is not text');
  }
  if (typeof threads !== 'number' || !Number.isInteger(threads) || threads < 1)
    throw invalid(file, '"threads" is not a whole number from 1');
  if (!isRecord(microseconds)) throw invalid(file, '"microseconds" is not an object');
  const entries = new Map<string, number>();
  for (const [signature, us] of Object.entries(microseconds)) {
    const usable = typeof us === 'number' && us > 0 && us < Infinity;
    if (!usable) throw invalid(file, `the time of "${signature.slice(0, 80)}" is not a positive number`);
    entries.set(signature, us);
  }
  if (entries.size > ENTRY_LIMIT) throw invalid(file, `it has more than ${ENTRY_LIMIT} entries`);
  return { identity: { cpu, fingerprint, runtime, threads }, entries };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sorted, so that equal tables are equal files; written beside and renamed, so that nobody reads half a table. */
function writeTable(file: string, { identity, entries }: Stored): void {
  const microseconds = Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
  const draft = `${file}.${randomUUID()}`;
  const failed = (cause: unknown): InputError =>
    new InputError('not-writable', 'the latency table cannot be written', { at: { file: basename(file) }, cause });
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch (cause) {
    throw failed(cause);
  }
  try {
    writeFileSync(
      draft,
      `${JSON.stringify({ schema: SCHEMA, version: VERSION, ...identity, microseconds }, undefined, 1)}\n`,
    );
    renameSync(draft, file);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw failed(cause);
  }
}
