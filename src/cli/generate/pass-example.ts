// An example of what a pass does: the first golden case of the test suite in which it fires, run now. A package without
// its tests has none.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createFacts } from '../../analysis/inference.js';
import { parseModel } from '../../ir/text/parse.js';
import { printModel } from '../../ir/text/print.js';
import type { AnyPass } from '../../passes/pass.js';
import { configure } from '../../pipeline/configured-pass.js';
import { createEvaluator } from '../../pipeline/evaluator.js';
import { runPasses } from '../../pipeline/run-passes.js';
import type { RuntimeHost } from '../../runtime/host.js';

export interface PassExample {
  readonly title: string;
  readonly options: Readonly<Record<string, string>>;
  /** Models as text. */
  readonly before: string;
  readonly after: string;
}

const GOLDEN = fileURLToPath(new URL('../../test/passes/golden/', import.meta.url));

/** Runs the first case that changes its model; undefined where there is none. */
export async function passExample(
  pass: AnyPass,
  host: RuntimeHost,
  signal: AbortSignal,
): Promise<PassExample | undefined> {
  const folder = join(GOLDEN, pass.name);
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.txt')) : [];
  for (const file of files.sort()) {
    const { title, sections } = readCase(readFileSync(join(folder, file), 'utf8'));
    if (!sections.has('after')) continue;
    const options = readOptions(sections.get('options') ?? '');
    const model = parseModel(sections.get('before') ?? '');
    const before = printModel(model, { weights: 'brief' });
    const evaluator = createEvaluator(host, signal);
    await runPasses(model, [configure(pass, options)], { createFacts, evaluator, seed: 0, signal });
    const after = printModel(model, { weights: 'brief' });
    if (after !== before) return { title, options, before, after };
  }
  return undefined;
}

/** The parts of a golden case: its title, then sections that start with `=== name`. */
function readCase(text: string): { readonly title: string; readonly sections: ReadonlyMap<string, string> } {
  const [title = '', ...parts] = text.split(/^=== */m);
  const sections = parts.map((part) => {
    const end = part.indexOf('\n');
    return end < 0 ? ([part.trim(), ''] as const) : ([part.slice(0, end).trim(), part.slice(end + 1)] as const);
  });
  return { title: title.trim().replace(/\s+/g, ' '), sections: new Map(sections) };
}

function readOptions(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line.includes('='));
  return Object.fromEntries(lines.map((line) => line.split('=').map((part) => part.trim()) as [string, string]));
}
