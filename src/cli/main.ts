// Entry of the command line: parse, run, turn errors into messages and exit statuses, hear Ctrl-C.
import { AppError, InternalError, InterruptError } from '../base/errors.js';
import { packageVersion } from '../base/version.js';
import { parseCommandLine, type Parsed } from './program.js';
import { Terminal, type Verbosity } from './terminal.js';

/** Ctrl-C, `kill`, and a terminal that was closed: all end a run with 130 and nothing left behind. */
const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs one command line (without node and script) and returns the exit status (statuses.ts). */
export async function main(argv: readonly string[]): Promise<number> {
  const { stdout, stderr, env } = process;
  let terminal = new Terminal({ color: 'auto', verbosity: 'normal', env, stdout, stderr });
  const abort = new AbortController();
  let debug = argv.includes('--debug');
  const onInterrupt = (): void => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
  };
  // What nobody waited for is a defect too: status 4, not the 1 of a missed gate that Node would end with.
  const onCrash = (error: unknown): void => process.exit(report(error, terminal, debug ? 'with-stack' : 'message'));
  for (const signal of STOPS) process.on(signal, onInterrupt);
  process.on('uncaughtException', onCrash);
  // Whoever reads may stop reading (`| head`): the work goes on, as files are what it is for.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exit(4);
  });
  try {
    const { width } = terminal;
    const render = terminal.render.bind(terminal);
    const write = (text: string): void => void stdout.write(text);
    const parsed = parseCommandLine(argv, { version: packageVersion(), width, render, write });
    if (!parsed) return 0;
    debug = parsed.flags.debug === true;
    terminal = new Terminal({ color: colorChoice(parsed), verbosity: verbosity(parsed), env, stdout, stderr });
    const run = await parsed.load();
    return await run({ args: parsed.args, flags: parsed.flags, terminal, signal: abort.signal });
  } catch (error) {
    return report(error, terminal, debug ? 'with-stack' : 'message');
  } finally {
    terminal.stopSpinner();
    for (const signal of STOPS) process.off(signal, onInterrupt);
    process.off('uncaughtException', onCrash);
  }
}

function report(error: unknown, terminal: Terminal, detail: 'message' | 'with-stack'): number {
  if (error instanceof InterruptError) {
    terminal.note('interrupted: nothing was changed');
    return error.exitCode;
  }
  const known =
    error instanceof AppError
      ? error
      : new InternalError('unexpected', error instanceof Error ? error.message : String(error), {
          cause: error,
          fix: 'this is a defect of mcompress: please report it, with the output of --debug',
        });
  terminal.error(known);
  if (detail === 'with-stack') process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return known.exitCode;
}

function colorChoice({ flags }: Parsed): 'auto' | 'always' | 'never' {
  return flags.color === 'always' || flags.color === 'never' ? flags.color : 'auto';
}

function verbosity({ flags }: Parsed): Verbosity {
  if (flags.quiet) return 'quiet';
  const asked = flags.verbose ?? flags.details ?? 0;
  if (asked === 0) return 'normal';
  return asked === 1 ? 'verbose' : 'most';
}
