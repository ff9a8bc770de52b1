// Writing, reading and the JSON Schema of all reports agree, on good values and on spoiled ones.
import { describe, expect, it } from 'vitest';
import { InputError, InternalError } from '../../src/base/errors.js';
import { parseReport, writeReport } from '../../src/report/json.js';
import { REPORT_SHAPES, reportSchema, type Report, type ReportKind } from '../../src/report/schema.js';
import { problems } from './json-schema.js';
import { ALL_SAMPLES } from './all-samples.js';
import { sampleProfile } from './other-samples.js';
import { sampleReport, troubledReport } from './sample.js';

describe.each(ALL_SAMPLES)('%s report', (_, report) => {
  it('survives writing and reading', () => {
    const text = writeReport(report);
    expect(parseReport(text, report.kind, 'r.json')).toEqual(JSON.parse(JSON.stringify(report)));
    expect(text.startsWith('{\n  "version": 1,\n  "kind": "')).toBe(true);
    expect(text.endsWith('}\n')).toBe(true);
  });

  it('has the same keys in the same order however it was filled', () => {
    // Only recipe documents are kept as given, those of runs within a run, too.
    const reversed = (value: unknown): unknown =>
      typeof value !== 'object' || value === null
        ? value
        : Array.isArray(value)
          ? value.map(reversed)
          : Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([key, one]) => [key, key === 'recipe' ? one : reversed(one)]),
            );
    const shuffled = reversed(report) as Report;
    expect(writeReport(shuffled)).toBe(writeReport(report));
  });

  it('is valid by its schema, which names every field', () => {
    expect(problems(reportSchema(report.kind), JSON.parse(writeReport(report)))).toEqual([]);
  });
});

/** Every path to a field or item of a JSON value. */
function paths(value: unknown, at: readonly (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [[...at]];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.slice(0, 2).entries()]
    : Object.entries(value);
  return [...(at.length > 0 ? [[...at]] : []), ...entries.flatMap(([key, one]) => paths(one, [...at, key]))];
}

function spoiled(value: unknown, path: readonly (string | number)[], put: unknown): unknown {
  const copy = structuredClone(value);
  let parent = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>;
  const last = path.at(-1) ?? '';
  if (put === undefined) Reflect.deleteProperty(parent, last);
  else parent[last] = put;
  return copy;
}

function isRefused(text: string): boolean {
  try {
    parseReport(text, 'slim', 'r.json');
    return false;
  } catch (error) {
    if (error instanceof InputError && error.code === 'bad-report' && error.at.file === 'r.json') return true;
    throw error;
  }
}

it('schema and reader refuse the same spoiled reports', () => {
  const report = JSON.parse(writeReport(troubledReport())) as unknown;
  const schema = reportSchema('slim');
  const disputed: string[] = [];
  let refused = 0;
  for (const path of paths(report)) {
    for (const put of [undefined, null, -1.5, 'text', [], {}]) {
      const broken = JSON.parse(JSON.stringify(spoiled(report, path, put))) as unknown;
      const bySchema = problems(schema, broken).length > 0;
      const byReader = isRefused(JSON.stringify(broken));
      if (byReader !== bySchema)
        disputed.push(`${path.join('.')} = ${JSON.stringify(put)}: reader ${byReader}, schema ${bySchema}`);
      refused += byReader ? 1 : 0;
    }
  }
  expect(disputed).toEqual([]);
  expect(refused).toBeGreaterThan(500);
});

describe('parseReport', () => {
  const good = (): Record<string, unknown> => JSON.parse(writeReport(sampleReport())) as Record<string, unknown>;
  const refuse = (text: string, kind: ReportKind = 'slim'): InputError => {
    try {
      parseReport(text, kind, 'old.json');
    } catch (error) {
      if (error instanceof InputError) return error;
      throw error;
    }
    throw new Error('it was read');
  };

  it.each([
    ['nothing', '', 'the report is not JSON'],
    ['a list', '[]', 'no report of mcompress'],
    ['other JSON', '{"a":1}', 'no report of mcompress'],
    ['another version', JSON.stringify({ ...good(), version: 2 }), 'version 2, this mcompress reads version 1'],
    ['a deep version', `{"kind":"slim","version":${'['.repeat(1e5)}${']'.repeat(1e5)}}`, 'version a list'],
    ['another kind', writeReport(sampleProfile()), 'kind "profile", not "slim"'],
    ['a wrong field', JSON.stringify({ ...good(), seed: -1 }), 'seed should be a whole number from 0, is -1'],
    ['a missing field', JSON.stringify({ ...good(), machine: undefined }), 'machine should be an object, is nothing'],
    [
      'a wrong choice',
      JSON.stringify({ ...good(), verification: { ...sampleReport().verification, verdict: 'fine' } }),
      'verification.verdict should be one of "agrees"',
    ],
    [
      'a deep recipe',
      JSON.stringify(good()).replace('"preset":"exact"', `"x":${'['.repeat(1e5)}${']'.repeat(1e5)}`),
      'is nested too deeply',
    ],
  ])('refuses %s and says where', (_, text, message) => {
    const error = refuse(text);
    expect(error.message).toContain(message);
    expect(error.fix).toBeTruthy();
  });

  it('names list items by their place', () => {
    const text = JSON.stringify(good()).replace('"nodesRemoved":52', '"nodesRemoved":"52"');
    expect(refuse(text).message).toBe('passes[3].nodesRemoved should be a whole number, is "52"');
  });

  it('reads a report of a newer writer that added fields, and one with a byte order mark', () => {
    const read = parseReport(`\uFEFF${JSON.stringify({ ...good(), later: true })}`, 'slim', 'r.json');
    expect(read).toEqual(good());
  });
});

it('refuses to write a number that JSON cannot hold, and names it', () => {
  const report = { ...sampleReport(), elapsedMs: Number.NaN };
  expect(() => writeReport(report)).toThrow(InternalError);
  expect(() => writeReport(report)).toThrow(/elapsedMs should be a finite number/);
});

it('has a shape for every kind, under its own name', () => {
  for (const kind of Object.keys(REPORT_SHAPES) as ReportKind[]) {
    expect(reportSchema(kind)).toMatchObject({
      $id: `mcompress-report-${kind}-v1`,
      properties: { kind: { const: kind } },
      type: 'object',
    });
  }
});
