// The layer order of src, one importing folder per dependency, and passes that stand alone. Each checker is first shown
// to catch a bad sample.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEPENDENCY_HOME, importsOf, LAYERS, layerViolations, passViolations } from './layers.js';
import { packageFolder, readSources } from './tracked-files.js';

interface LintRule {
  readonly patterns: ReadonlyArray<{ readonly regex: string }>;
}
interface LintConfig {
  readonly overrides: ReadonlyArray<{
    readonly files: readonly string[];
    readonly rules: { readonly 'no-restricted-imports'?: readonly [string, LintRule] };
  }>;
}

const sources = readSources('src');

describe('the checker', () => {
  it('finds imports in every form', () => {
    const text = [
      "import { a } from './a.js';",
      "import type { B } from '../b.js';",
      'import c, {\n  type D,\n} from "c";',
      "import 'e';",
      "export { f } from './f.js';",
      "const g = await import('./g.js');",
      "type H = import('./h.js').H;",
      "const text = 'import of nothing';",
    ].join('\n');
    expect(importsOf(text)).toEqual(['./a.js', '../b.js', 'c', 'e', './f.js', './g.js', './h.js']);
  });

  it.each([
    [
      'src/ir/graph.ts',
      "import { x } from '../passes/pass.js';",
      'src/ir/graph.ts: ir imports passes (../passes/pass.js)',
    ],
    [
      'src/passes/exact/a.ts',
      "import type { x } from '../../onnx/model.js';",
      'src/passes/exact/a.ts: passes imports onnx (../../onnx/model.js)',
    ],
    ['src/passes/exact/a.ts', "import fs from 'node:fs';", 'src/passes/exact/a.ts: passes import node:fs'],
    [
      'src/ops/conv.ts',
      "import { x } from '../onnx/model.js';",
      'src/ops/conv.ts: ops imports onnx (../onnx/model.js)',
    ],
    ['src/report/a.ts', "const c = import('chalk');", 'src/report/a.ts: report imports chalk, which belongs to cli'],
    ['src/onnx/a.ts', "import x from 'protobufjs/minimal.js';", undefined],
    [
      'src/cli/a.ts',
      "import x from 'left-pad';",
      'src/cli/a.ts: imports left-pad, which is not in the table of dependencies',
    ],
    ['src/base/a.ts', "import x from './b';", 'src/base/a.ts: imports ./b without .js'],
    ['src/utils/a.ts', '', 'src/utils/a.ts: src/utils is not in the table of layers'],
    ['src/main.ts', '', 'src/main.ts: only index.ts may lie in src itself'],
  ])('judges %s with %s', (path, text, violation) => {
    expect(layerViolations({ path, text })).toEqual(violation === undefined ? [] : [violation]);
  });

  it('sees a pass that imports a pass', () => {
    const a = { path: 'src/passes/exact/a.ts', text: "import { b } from './b.js';\nexport const a = definePass({});" };
    const b = { path: 'src/passes/exact/b.ts', text: 'export const b = definePass({});' };
    const list = { path: 'src/passes/exact/index.ts', text: "import { a } from './a.js';\nexport const passes = [a];" };
    expect(passViolations([a, b, list])).toEqual([
      'src/passes/exact/a.ts: imports another pass (src/passes/exact/b.js)',
    ]);
  });
});

describe('src', () => {
  it('imports one way only', () => {
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.flatMap(layerViolations)).toEqual([]);
  });

  it('has no pass that imports another', () => {
    expect(passViolations(sources)).toEqual([]);
  });

  it('imports every dependency of package.json somewhere', () => {
    const manifest = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      optionalDependencies: Record<string, string>;
    };
    const dependencies = { ...manifest.dependencies, ...manifest.optionalDependencies };
    const imported = new Set(
      sources.flatMap((file) => importsOf(file.text)).map((specifier) => specifier.split('/')[0]),
    );
    expect(Object.keys(dependencies).toSorted()).toEqual(Object.keys(DEPENDENCY_HOME).toSorted());
    expect(Object.keys(dependencies).filter((name) => !imported.has(name))).toEqual([]);
  });
});

describe('.oxlintrc.json', () => {
  const config = JSON.parse(readFileSync(join(packageFolder, '.oxlintrc.json'), 'utf8')) as LintConfig;
  const forbids = (layer: string, specifier: string): boolean => {
    const rule = config.overrides.find(
      (override) => override.files.includes(`src/${layer}/**/*.ts`) && override.rules['no-restricted-imports'],
    );
    return (
      rule?.rules['no-restricted-imports']?.[1].patterns.some(({ regex }) => new RegExp(regex).test(specifier)) ?? false
    );
  };

  it.each(Object.entries(LAYERS))('has the same rule for src/%s', (layer, allowed: readonly string[]) => {
    const others = Object.keys(LAYERS).filter((other) => other !== layer);
    expect(others.filter((other) => !forbids(layer, `../${other}/x.js`))).toEqual(
      others.filter((other) => allowed.includes(other)),
    );
    const dependencies = Object.keys(DEPENDENCY_HOME);
    const own = dependencies.filter((dependency) => DEPENDENCY_HOME[dependency] === layer);
    expect(dependencies.filter((dependency) => !forbids(layer, dependency))).toEqual(own);
    expect(dependencies.filter((dependency) => !forbids(layer, `${dependency}/part.js`))).toEqual(own);
    expect(forbids(layer, 'node:fs')).toBe(layer === 'passes');
  });
});
