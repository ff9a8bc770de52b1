// The journal of a search: every timing and score that a choice rests on, one JSON line each, on disk before the choice is
// made. A run that was ended in any way reads them back instead of measuring again, so it comes to the same choices.
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { InputError, UsageError } from '../../base/errors.js';

export interface Journal {
  /** What the step found when it was done before; else does it and notes the result (plain data) down. */
  recall<T>(step: string, compute: () => Promise<T>): Promise<T>;
  /** Whether `recall` would compute nothing. */
  has(step: string): boolean;
  /** Steps that were read from an earlier run. */
  readonly known: number;
  /** What was found of an earlier run, in words; undefined when there was none. */
  readonly note: string | undefined;
  close(): void;
}

const SCHEMA = 'mcompress-journal';
const VERSION = 1;
/** Of every journal. */
const BEGINNING = `{"schema":"${SCHEMA}","version":`;

interface Header {
  readonly schema: typeof SCHEMA;
  readonly version: number;
  readonly key: string;
}

/** One key for all that decides what the steps of a run find. */
export function journalKey(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** A journal that is kept nowhere: within one run nothing is measured twice. */
export function memoryJournal(): Journal {
  return makeJournal(new Map(), { note: undefined, write: () => undefined, close: () => undefined });
}

/**
 * Opens the journal in `path`, or begins it. One of another key is begun anew; a last line that was not written whole is
 * dropped. Two runs must not use one journal at the same time.
 * @throws UsageError would-overwrite when the file is no journal; InputError not-writable
 */
export function openJournal(path: string, key: string): Journal {
  const { entries, end, note } = readEntries(path, key);
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, 'a');
    ftruncateSync(file, end);
    let isOpen = true;
    const write = (line: unknown): void => {
      writeSync(file, `${encode(line)}\n`);
      fsyncSync(file);
    };
    if (end === 0) write({ schema: SCHEMA, version: VERSION, key } satisfies Header);
    return makeJournal(entries, {
      note,
      write: (step, value) => write({ step, value }),
      close: () => {
        if (isOpen) closeSync(file);
        isOpen = false;
      },
    });
  } catch (cause) {
    throw new InputError('not-writable', 'the journal cannot be written', { at: { file: path }, cause });
  }
}

interface Backing {
  readonly note: string | undefined;
  write(step: string, value: unknown): void;
  close(): void;
}

function makeJournal(entries: Map<string, unknown>, { note, write, close }: Backing): Journal {
  const known = entries.size;
  return {
    known,
    note,
    close,
    has: (step) => entries.has(step),
    recall: async <T>(step: string, compute: () => Promise<T>): Promise<T> => {
      if (entries.has(step)) return entries.get(step) as T;
      // What is read back later is what is gone on with now.
      const value: unknown = decode(encode({ value: await compute() }));
      const found = (value as { value?: unknown }).value;
      write(step, found);
      entries.set(step, found);
      return found as T;
    },
  };
}

interface Read {
  readonly entries: Map<string, unknown>;
  /** Bytes that are good; 0: begin anew. */
  readonly end: number;
  readonly note: string | undefined;
}

function readEntries(path: string, key: string): Read {
  const entries = new Map<string, unknown>();
  const text = readText(path);
  const lines = text.split('\n');
  // Behind the last line end stands nothing, or what was being written when the run ended.
  const torn = lines.pop() ?? '';
  const header = parsed(lines[0]) as Partial<Header> | undefined;
  if (header?.schema !== SCHEMA) {
    if (lines.length === 0 && (torn.startsWith(BEGINNING) || BEGINNING.startsWith(torn)))
      return { entries, end: 0, note: undefined };
    throw new UsageError('would-overwrite', `${path} is no journal of a search, and would be replaced`, {
      fix: 'name another file for the journal',
    });
  }
  if (header.version !== VERSION || header.key !== key) {
    const note = 'the journal was of another model, other data, settings or machine: it was begun anew';
    return { entries, end: 0, note };
  }
  let end = Buffer.byteLength(`${lines[0]}\n`);
  for (const line of lines.slice(1)) {
    const entry = parsed(line) as { readonly step?: unknown; readonly value?: unknown } | undefined;
    if (typeof entry?.step !== 'string') break;
    entries.set(entry.step, entry.value);
    end += Buffer.byteLength(`${line}\n`);
  }
  const note = entries.size === 0 ? undefined : `${entries.size} steps were taken from the journal of an earlier run`;
  return { entries, end, note };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new InputError('not-readable', 'the journal cannot be read', { at: { file: path }, cause });
  }
}

/** JSON has no infinities and no NaN, and measurements do. */
function encode(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'number' && !Number.isFinite(part) ? { number: String(part) } : part,
  );
}

function decode(text: string): unknown {
  return JSON.parse(text, (_, part: unknown) => {
    const number = typeof part === 'object' && part !== null ? (part as { number?: unknown }).number : undefined;
    const isNumber = typeof number === 'string' && Object.keys(part as object).length === 1;
    return isNumber ? Number(number) : part;
  });
}

function parsed(line: string | undefined): unknown {
  try {
    return line === undefined ? undefined : decode(line);
  } catch {
    return undefined;
  }
}
