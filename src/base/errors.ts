// Every failure the tool can report is one of these classes. Code that handles an error looks at `code` or the
// class, never at the text; the command line maps `exitCode` to the process status (docs/cli.md).

/** The place an error speaks of. Every field is optional: give what is known. */
export interface ErrorPlace {
  readonly file?: string;
  /** Byte offset inside `file`. */
  readonly offset?: number;
  /** Name of the node, or `#index (OpType)` for a node without a name. */
  readonly node?: string;
  /** Name of the tensor or value. */
  readonly tensor?: string;
  /** Name of the graph, subgraph or function. */
  readonly graph?: string;
}

export interface ErrorDetails {
  readonly at?: ErrorPlace;
  /** What the user can do about it: a command, an option, a change to the file. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** What the user typed is wrong: flags, recipe, option values. Exit status 2. */
export type UsageCode =
  | 'unknown-option'
  | 'unknown-pass'
  | 'unknown-command'
  | 'bad-value'
  | 'bad-recipe'
  | 'conflict'
  | 'not-available'
  | 'would-overwrite'
  | 'no-input';

/** The input cannot be read or is not supported. Exit status 3. */
export type InputCode =
  | 'not-found'
  | 'not-readable'
  | 'not-writable'
  | 'not-onnx'
  | 'truncated'
  | 'malformed'
  | 'too-deep'
  | 'too-large'
  | 'missing-field'
  | 'bad-type'
  | 'bad-tensor'
  | 'missing-value'
  | 'duplicate-name'
  | 'cyclic'
  | 'external-data'
  | 'unsupported'
  | 'runtime-rejects'
  | 'runtime-failed'
  | 'bad-feed'
  | 'bad-data'
  | 'bad-report';

/** A defect of mcompress itself. Exit status 4. */
export type InternalCode = 'invariant' | 'runtime-crashed' | 'unexpected';

export type ErrorCode = UsageCode | InputCode | InternalCode | 'gate' | 'interrupted';

/** Base class: what happened (`message`), where (`at`), and what to do (`fix`). */
export abstract class AppError extends Error {
  abstract readonly code: ErrorCode;
  abstract readonly exitCode: number;
  readonly at: ErrorPlace;
  readonly fix: string | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = new.target.name;
    this.at = details.at ?? {};
    this.fix = details.fix;
  }
}

export class UsageError extends AppError {
  readonly exitCode = 2;
  constructor(
    readonly code: UsageCode,
    message: string,
    details?: ErrorDetails,
  ) {
    super(message, details);
  }
}

export class InputError extends AppError {
  readonly exitCode = 3;
  constructor(
    readonly code: InputCode,
    message: string,
    details?: ErrorDetails,
  ) {
    super(message, details);
  }
}

export class InternalError extends AppError {
  readonly exitCode = 4;
  constructor(
    readonly code: InternalCode,
    message: string,
    details?: ErrorDetails,
  ) {
    super(message, details);
  }
}

/** A gate, budget or baseline was not met. Exit status 1. */
export class GateError extends AppError {
  readonly code = 'gate';
  readonly exitCode = 1;
}

/** The user stopped the run. Exit status 130. */
export class InterruptError extends AppError {
  readonly code = 'interrupted';
  readonly exitCode = 130;
}

/** The same error with more of its place filled in; fields already set are kept. */
export function locate<E extends AppError>(error: E, at: ErrorPlace): E {
  Object.assign(error, { at: { ...at, ...error.at } });
  return error;
}

/** Throws `InternalError('invariant')` unless `condition` holds. For states that only a defect can produce. */
export function invariant(condition: unknown, message: string, at?: ErrorPlace): asserts condition {
  if (!condition) throw new InternalError('invariant', message, at ? { at } : {});
}
