// What the program shows: results on stdout, talk on stderr, colour and spinner where a person looks on.
import { Chalk, type ChalkInstance, type ColorSupportLevel } from 'chalk';
import type { Ora } from 'ora';
import type { AppError } from '../base/errors.js';
import { trimEnd, type Line, type Span, type Style } from '../report/span.js';

/** How much is said: errors only, the summary, `-v`, `-vv`. */
export type Verbosity = 'quiet' | 'normal' | 'verbose' | 'most';

const DETAIL = { quiet: 0, normal: 0, verbose: 1, most: 2 } as const satisfies Record<Verbosity, number>;

export interface TerminalOptions {
  readonly color: 'auto' | 'always' | 'never';
  readonly verbosity: Verbosity;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

const STYLES: Readonly<Record<Style, (chalk: ChalkInstance) => ChalkInstance>> = {
  bold: (chalk) => chalk.bold,
  dim: (chalk) => chalk.dim,
  good: (chalk) => chalk.green,
  bad: (chalk) => chalk.red,
  warn: (chalk) => chalk.yellow,
  accent: (chalk) => chalk.cyan,
};

export class Terminal {
  readonly #out: ChalkInstance;
  readonly #err: ChalkInstance;
  readonly #options: TerminalOptions;
  #spinner: Ora | undefined;
  /** The stage that was noted last. */
  #stage: string | undefined;

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#out = new Chalk({ level: colorLevel(options.stdout, options) });
    this.#err = new Chalk({ level: colorLevel(options.stderr, options) });
  }

  /** Columns of stdout; 80 when it is no terminal. */
  get width(): number {
    return this.#options.stdout.columns ?? 80;
  }

  get verbosity(): Verbosity {
    return this.#options.verbosity;
  }

  /** How often `-v` was given, as far as it matters. */
  get detail(): 0 | 1 | 2 {
    return DETAIL[this.#options.verbosity];
  }

  /** Styled lines as text for stdout. */
  render(lines: readonly Line[]): string {
    const paint = ({ text, style }: Span): string => (style ? STYLES[style](this.#out)(text) : text);
    return lines.map((line) => `${trimEnd(line).map(paint).join('')}\n`).join('');
  }

  /** Styled lines of the result, on stdout. Nothing with `--quiet`. */
  print(lines: readonly Line[]): void {
    if (this.#options.verbosity === 'quiet') return;
    this.stopSpinner();
    this.#options.stdout.write(this.render(lines));
  }

  /** Bytes or text that is the result itself (a model, a JSON document), on stdout. */
  async write(data: string | Uint8Array): Promise<void> {
    this.stopSpinner();
    await new Promise<void>((resolve, reject) =>
      this.#options.stdout.write(data, (error) => (error && !isClosedPipe(error) ? reject(error) : resolve())),
    );
  }

  /** One line of talk on stderr. */
  note(text: string): void {
    if (this.#options.verbosity === 'quiet') return;
    this.stopSpinner();
    this.#options.stderr.write(`${this.#err.dim(text)}\n`);
  }

  warn(text: string): void {
    this.stopSpinner();
    this.#options.stderr.write(`${this.#err.yellow('warning')}: ${text}\n`);
  }

  /** What went wrong, where, and what to do. */
  error(error: AppError, file?: string): void {
    this.stopSpinner();
    const at = { ...(file === undefined ? {} : { file }), ...error.at };
    const place = [
      at.file,
      at.offset === undefined ? undefined : `byte ${at.offset}`,
      at.graph && `graph ${at.graph}`,
      at.node && `node ${at.node}`,
      at.tensor && `tensor ${at.tensor}`,
    ];
    const where = place.filter((part) => part !== undefined && part !== '').join(', ');
    const lines = [`${this.#err.red.bold(`error[${error.code}]`)}: ${error.message}`];
    if (where !== '') lines.push(`  ${this.#err.dim('at')}:  ${where}`);
    if (error.fix !== undefined && error.fix !== '') lines.push(`  ${this.#err.dim('fix')}: ${error.fix}`);
    this.#options.stderr.write(`${lines.join('\n')}\n`);
  }

  /**
   * Shows what is being done, and how far it is: a spinner on a terminal; elsewhere a line per stage with `-v`, else
   * nothing.
   */
  async progress(stage: string, position?: string): Promise<void> {
    const { stderr, verbosity, env } = this.#options;
    if (verbosity === 'quiet') return;
    if (!stderr.isTTY || env['TERM'] === 'dumb' || env['CI'] !== undefined) {
      if (this.detail > 0 && stage !== this.#stage) this.note(stage);
      this.#stage = stage;
      return;
    }
    if (!this.#spinner) {
      const { default: ora } = await import('ora');
      this.#spinner ??= ora({ stream: this.#options.stderr, discardStdin: false }).start();
    }
    this.#spinner.text = position === undefined ? stage : `${stage}, ${position}`;
  }

  stopSpinner(): void {
    this.#spinner?.stop();
    this.#spinner = undefined;
  }
}

/** The reader has gone (`| head`): what it did not want to read is not missing. */
const isClosedPipe = (error: Error): boolean =>
  'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED');

/** Levels of chalk: 0 none, 1 sixteen colours. NO_COLOR and FORCE_COLOR as no-color.org and Node have them. */
function colorLevel(stream: NodeJS.WriteStream, { color, env }: TerminalOptions): ColorSupportLevel {
  if (color === 'never') return 0;
  if (color === 'always') return 1;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return 1;
  if ((env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb' || env['FORCE_COLOR'] === '0') return 0;
  return stream.isTTY ? 1 : 0;
}
