// `mcompress passes [PASS]`: the list, or everything about one.
import { UsageError } from '../../base/errors.js';
import { describeValues, optionSchema } from '../../base/option.js';
import { suggestion } from '../../base/suggest.js';
import type { AnyPass } from '../../passes/pass.js';
import { ALL_PASSES, findPass } from '../../passes/registry.js';
import { RECIPE_STEPS, type RecipeStep } from '../../report/recipe-steps.js';
import { span, wrap, type Line } from '../../report/span.js';
import type { CommandRun } from '../program.js';

export const runPasses: CommandRun = async ({ args, flags, terminal }) => {
  const [name] = args;
  const chosen = name === undefined ? [...ALL_PASSES, ...RECIPE_STEPS] : [requirePass(name)];
  if (flags.json) {
    await terminal.write(
      `${JSON.stringify({ version: 1, kind: 'passes', passes: chosen.map(passDocument) }, undefined, 2)}\n`,
    );
  } else {
    const only = name === undefined ? undefined : chosen[0];
    terminal.print(only ? passLines(only, terminal.width) : listLines(terminal.width));
  }
  return 0;
};

/** A pass, or a step behind all passes. */
type Described = AnyPass | RecipeStep;

const isStep = (one: Described): one is RecipeStep => 'expected' in one;

function requirePass(name: string): Described {
  const pass = findPass(name) ?? RECIPE_STEPS.find((step) => step.name === name);
  if (!pass)
    throw new UsageError('unknown-pass', `there is no pass "${name}"`, {
      fix:
        suggestion(
          name,
          [...ALL_PASSES, ...RECIPE_STEPS].map((candidate) => candidate.name),
        ) ?? 'see: mcompress passes',
    });
  return pass;
}

function listLines(width: number): Line[] {
  const all: readonly Described[] = [...ALL_PASSES, ...RECIPE_STEPS];
  const indent = Math.max(...all.map((pass) => pass.name.length)) + 2;
  return all.flatMap((pass) => wrap([span(pass.name.padEnd(indent), 'bold'), span(pass.summary)], width, indent));
}

function passLines(pass: Described, width: number): Line[] {
  const section = (title: string, entries: readonly (readonly [string, string])[]): Line[] =>
    entries.length === 0
      ? []
      : [
          [],
          [span(title, 'bold')],
          ...entries.flatMap(([key, help]) => wrap([span(`  ${key}  `, 'accent'), span(help)], width, 6)),
        ];
  return [
    [span(pass.name, 'bold'), span(`  (${pass.category}, ${pass.exactness})`, 'dim')],
    ...wrap([span(pass.summary)], width),
    [],
    ...pass.details
      .trim()
      .split(/\n\s*\n/)
      .flatMap((paragraph) => [...wrap([span(paragraph.replace(/\s+/g, ' '))], width), []])
      .slice(0, -1),
    ...section('options', optionEntries(pass)),
    ...section('left alone, and why', Object.entries(pass.declines)),
    ...section('counted', isStep(pass) ? [] : Object.entries(pass.stats)),
  ];
}

function optionEntries(pass: Described): (readonly [string, string])[] {
  if (isStep(pass))
    return Object.entries(pass.options).map(([key, { description }]) => [
      key,
      `${String(description)} (${pass.expected[key] ?? ''})`,
    ]);
  return Object.entries(pass.options).map(([key, option]) => [
    key,
    `${option.help} (${describeValues(option)}, default ${option.default})`,
  ]);
}

/** A pass as JSON. */
function passDocument(pass: Described): Record<string, unknown> {
  return {
    name: pass.name,
    category: pass.category,
    exactness: pass.exactness,
    needs: pass.needs,
    summary: pass.summary,
    details: pass.details.trim(),
    options: isStep(pass)
      ? pass.options
      : Object.fromEntries(Object.entries(pass.options).map(([key, option]) => [key, optionSchema(option)])),
    declines: pass.declines,
    stats: isStep(pass) ? {} : pass.stats,
  };
}
