// Entry of the command line: parse, run, turn errors into messages and exit statuses, hear Ctrl-C.
import { AppError, InternalError, InterruptError } from '../base/errors.js';
import { packageVersion } from '../base/version.js';
import { parseCommandLine, type Parsed } from './program.js';
import { Terminal } from './terminal.js';

/**
 * Runs one command line (without node and script) and returns the exit status (docs/cli.md): 0 done, 1 gate not met,
 * 2 usage, 3 input, 4 defect, 130 interrupted.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const { stdout, stderr, env } = process;
  let terminal = new Terminal({ color: 'auto', verbosity: 'normal', env, stdout, stderr });
  const abort = new AbortController();
  let debug = argv.includes('--debug');
  const onInterrupt = (): void => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
  };
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt);
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 4));
  try {
    const parsed = parseCommandLine(argv, packageVersion(), (text) => void stdout.write(text));
    if (!parsed) return 0;
    debug = parsed.flags.debug === true;
    terminal = new Terminal({ color: colorChoice(parsed), verbosity: verbosity(parsed), env, stdout, stderr });
    const run = await parsed.load();
    return await run({ args: parsed.args, flags: parsed.flags, terminal, signal: abort.signal });
  } catch (error) {
    return report(error, terminal, debug);
  } finally {
    terminal.stopSpinner();
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt);
  }
}

function report(error: unknown, terminal: Terminal, debug: boolean): number {
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
  if (debug) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return known.exitCode;
}

function colorChoice({ flags }: Parsed): 'auto' | 'always' | 'never' {
  return flags.color === 'always' || flags.color === 'never' ? flags.color : 'auto';
}

function verbosity({ flags }: Parsed): 'quiet' | 'normal' | 'verbose' {
  if (flags.quiet) return 'quiet';
  return flags.verbose ? 'verbose' : 'normal';
}
