// `mcompress generate WHAT [NAME]`: texts made from the declarations of the program.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { InterruptError, UsageError } from '../../base/errors.js';
import { suggestion } from '../../base/suggest.js';
import { packageVersion } from '../../base/version.js';
import { operatorsPage } from '../../ops/operator-table.js';
import { ALL_PASSES } from '../../passes/registry.js';
import { RECIPE_STEPS } from '../../report/recipe-steps.js';
import { recipeSchema } from '../../pipeline/recipe.js';
import { REPORT_SHAPES, reportSchema, type ReportKind } from '../../report/schema.js';
import { RuntimeHost } from '../../runtime/host.js';
import { cliPage } from '../generate/cli-page.js';
import { completionScript, SHELLS } from '../generate/completion.js';
import { manPage } from '../generate/man-page.js';
import { passExample } from '../generate/pass-example.js';
import { passList, passPage, stepPage } from '../generate/pass-page.js';
import { STDIO } from '../input-files.js';
import type { CommandRun } from '../program.js';
import { replaceFile } from '../replace-file.js';

export interface GeneratedFile {
  /** Below the folder that is written to. */
  readonly path: string;
  readonly text: string;
}

type Maker = (name: string | undefined, signal: AbortSignal) => Promise<readonly GeneratedFile[]>;

const MAKERS: Readonly<Record<string, Maker>> = {
  docs: (name, signal) => withoutName('docs', name, () => docs(signal)),
  man: (name) => withoutName('man', name, async () => [{ path: 'mcompress.1', text: manPage(packageVersion()) }]),
  completion: async (name) => {
    const shell = oneOf('shell', SHELLS, name);
    const names = [...ALL_PASSES, ...RECIPE_STEPS].map((pass) => pass.name);
    return [{ path: `mcompress.${shell}`, text: completionScript(shell, names) }];
  },
  schema: async (name) => {
    const documents = [...(Object.keys(REPORT_SHAPES) as ReportKind[]), 'recipe'] as const;
    const wanted = name === undefined ? documents : [oneOf('document', documents, name)];
    return wanted.map((document) => ({
      path: `${document}.schema.json`,
      text: json(document === 'recipe' ? recipeSchema() : reportSchema(document)),
    }));
  },
};

export const runGenerate: CommandRun = async ({ args, flags, terminal, signal }) => {
  const [what = '', name] = args;
  const make = MAKERS[oneOf('kind of text', Object.keys(MAKERS), what)];
  const files = (await make?.(name, signal)) ?? [];
  const { target = STDIO } = flags;
  if (flags.json) await terminal.write(json({ version: 1, kind: 'generated', files }));
  else if (target !== STDIO) await writeFiles(files, target);
  else if (files.length === 1) await terminal.write(files[0]?.text ?? '');
  else
    throw new UsageError('conflict', `${what} are ${files.length} files, which cannot all go to stdout`, {
      fix: `name a folder: -o FOLDER/${what === 'schema' ? ', or one of the documents' : ''}`,
    });
  return 0;
};

/** One file goes to `target` itself unless that is a folder. */
async function writeFiles(files: readonly GeneratedFile[], target: string): Promise<void> {
  const isFolder =
    files.length > 1 || target.endsWith('/') || statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  for (const { path, text } of files) await replaceFile(isFolder ? join(target, path) : target, text);
}

async function docs(signal: AbortSignal): Promise<GeneratedFile[]> {
  const host = new RuntimeHost();
  try {
    const pages: GeneratedFile[] = [];
    for (const pass of ALL_PASSES)
      pages.push({ path: `passes/${pass.name}.md`, text: passPage(pass, await passExample(pass, host, signal)) });
    return [
      { path: 'cli.md', text: cliPage() },
      { path: 'operators.md', text: operatorsPage() },
      { path: 'passes/README.md', text: passList([...ALL_PASSES, ...RECIPE_STEPS]) },
      ...RECIPE_STEPS.map((step) => ({ path: `passes/${step.name}.md`, text: stepPage(step) })),
      ...pages,
    ];
  } catch (error) {
    throw signal.aborted ? new InterruptError('interrupted', { cause: error }) : error;
  } finally {
    await host.dispose();
  }
}

function withoutName<T>(what: string, name: string | undefined, make: () => Promise<T>): Promise<T> {
  if (name !== undefined) throw new UsageError('conflict', `${what} takes no name, and got "${name}"`);
  return make();
}

/** @throws UsageError bad-value when it is none of them */
function oneOf<C extends string>(noun: string, choices: readonly C[], given: string | undefined): C {
  const found = choices.find((choice) => choice === given);
  if (found !== undefined) return found;
  const list = `choose one of: ${choices.join(', ')}`;
  const message = given === undefined ? `the ${noun} is missing` : `there is no ${noun} "${given}"`;
  const fix = given === undefined ? list : (suggestion(given, choices) ?? list);
  throw new UsageError(given === undefined ? 'no-input' : 'bad-value', message, { fix });
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
