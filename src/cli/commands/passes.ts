// `mcompress passes [PASS]`: the list, or everything about one.
import { UsageError } from '../../base/errors.js';
import { describeValues, optionSchema } from '../../base/option.js';
import { suggestion } from '../../base/suggest.js';
import type { AnyPass } from '../../passes/pass.js';
import { ALL_PASSES, findPass } from '../../passes/registry.js';
import { span, wrap, type Line } from '../../report/span.js';
import type { CommandRun } from '../program.js';

export const runPasses: CommandRun = async ({ args, flags, terminal }) => {
  const [name] = args;
  const chosen = name === undefined ? ALL_PASSES : [requirePass(name)];
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

function requirePass(name: string): AnyPass {
  const pass = findPass(name);
  if (!pass)
    throw new UsageError('unknown-pass', `there is no pass "${name}"`, {
      fix:
        suggestion(
          name,
          ALL_PASSES.map((candidate) => candidate.name),
        ) ?? 'see: mcompress passes',
    });
  return pass;
}

function listLines(width: number): Line[] {
  const indent = Math.max(...ALL_PASSES.map((pass) => pass.name.length)) + 2;
  return ALL_PASSES.flatMap((pass) =>
    wrap([span(pass.name.padEnd(indent), 'bold'), span(pass.summary)], width, indent),
  );
}

function passLines(pass: AnyPass, width: number): Line[] {
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
    ...section(
      'options',
      Object.entries(pass.options).map(([key, option]) => [
        key,
        `${option.help} (${describeValues(option)}, default ${option.default})`,
      ]),
    ),
    ...section('left alone, and why', Object.entries(pass.declines)),
    ...section('counted', Object.entries(pass.stats)),
  ];
}

/** A pass as JSON. */
function passDocument(pass: AnyPass): Record<string, unknown> {
  return {
    name: pass.name,
    category: pass.category,
    exactness: pass.exactness,
    needs: pass.needs,
    summary: pass.summary,
    details: pass.details.trim(),
    options: Object.fromEntries(Object.entries(pass.options).map(([key, option]) => [key, optionSchema(option)])),
    declines: pass.declines,
    stats: pass.stats,
  };
}
