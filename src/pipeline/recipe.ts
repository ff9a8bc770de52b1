// A recipe: what a run does to a model, as data. Flags build one, `--recipe` loads one, and the report prints the one
// that ran. It holds nothing about files, measuring or checking.
import { locate, UsageError } from '../base/errors.js';
import { optionSchema } from '../base/option.js';
import { suggestion } from '../base/suggest.js';
import {
  preprocessDocument,
  preprocessFromJson,
  preprocessSchema,
  type Preprocess,
  type PreprocessDocument,
} from '../data/preprocess.js';
import type { AnyPass } from '../passes/pass.js';
import { ALL_PASSES, findPass } from '../passes/registry.js';
import { configure, type ConfiguredPass } from './configured-pass.js';
import { PRESETS, type PresetName } from './presets.js';
import { COMBINE_SETTINGS, type CombineSettings } from './combining/settings.js';
import { DEEPEN_SETTINGS, type DeepenSettings } from './deepening/settings.js';
import { FACTORIZE_SETTINGS, type FactorizeSettings } from './factorizing/settings.js';
import { PRUNE_SETTINGS, type PruneSettings } from './pruning/settings.js';
import { readSettings, settingsDocument, settingsSchema, type QuantizeSettings } from './quantization/settings.js';

export const RECIPE_VERSION = 1;

export interface Recipe {
  /** Dynamic dimensions fixed in the model: sizes per graph input. */
  readonly freeze: Readonly<Record<string, readonly number[]>>;
  /** Operator set to convert the model to first; undefined leaves it. */
  readonly opset: number | undefined;
  readonly passes: readonly ConfiguredPass[];
  /** How pictures become inputs of the model, for passes and verbs that take data. */
  readonly preprocess?: Preprocess;
  /** Fitted layers in the place of blocks, behind the passes. */
  readonly deepen?: DeepenSettings;
  /** Chains of smaller layers in the place of large ones, behind the passes. */
  readonly factorize?: FactorizeSettings;
  /** Removal of channels, behind the passes. */
  readonly prune?: PruneSettings;
  /** Quantization to 8-bit integers, behind all else. */
  readonly quantize?: QuantizeSettings;
  /** The choice among all of these, behind the passes; rules them out. */
  readonly combine?: CombineSettings;
}

/** A recipe as JSON: `passes` and `preset` exclude each other; without either the preset is `exact`. */
export interface RecipeDocument {
  readonly version: typeof RECIPE_VERSION;
  readonly preset?: PresetName;
  readonly passes?: readonly (
    string | { readonly pass: string; readonly options?: Readonly<Record<string, unknown>> }
  )[];
  readonly freeze?: Readonly<Record<string, readonly number[]>>;
  readonly opset?: number;
  readonly preprocess?: string | PreprocessDocument;
  readonly deepen?: Partial<DeepenSettings>;
  readonly factorize?: Partial<FactorizeSettings>;
  readonly prune?: Partial<PruneSettings>;
  readonly quantize?: Partial<QuantizeSettings>;
  readonly combine?: Partial<CombineSettings>;
}

/** The passes of a preset, with default options. */
export function presetPasses(name: PresetName): ConfiguredPass[] {
  return PRESETS[name].passes.map((pass) => configure(pass));
}

/**
 * A pass from the form of `-p`: `name`, or `name:option=value,option=value`. A flag may stand without `=value`.
 * @throws UsageError unknown-pass, unknown-option, bad-value
 */
export function parsePass(text: string): ConfiguredPass {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const given: Record<string, string> = {};
  for (const part of colon < 0 ? [] : text.slice(colon + 1).split(',')) {
    const equals = part.indexOf('=');
    if (part !== '') given[equals < 0 ? part : part.slice(0, equals)] = equals < 0 ? '' : part.slice(equals + 1);
  }
  return configure(requirePass(name), given);
}

/** The text `parsePass` reads, with the options that differ from their defaults. */
export function formatPass({ pass, options }: ConfiguredPass): string {
  const changed = Object.entries(options).filter(([key, value]) => value !== pass.options[key]?.default);
  return changed.length === 0
    ? pass.name
    : `${pass.name}:${changed.map(([key, value]) => `${key}=${value}`).join(',')}`;
}

/** The passes are those of this preset with default options. */
export function matchingPreset(passes: readonly ConfiguredPass[]): PresetName | undefined {
  const text = passes.map(formatPass).join(' ');
  return (Object.keys(PRESETS) as PresetName[]).find(
    (name) => PRESETS[name].passes.map((pass) => pass.name).join(' ') === text,
  );
}

/** The recipe as JSON, shortest form: what the report prints and `--recipe` reads. */
export function recipeDocument(recipe: Recipe): RecipeDocument {
  const preset = matchingPreset(recipe.passes);
  const passes = recipe.passes.map((step) => {
    const options = Object.fromEntries(
      Object.entries(step.options).filter(([key, value]) => value !== step.pass.options[key]?.default),
    );
    return Object.keys(options).length === 0 ? step.pass.name : { pass: step.pass.name, options };
  });
  return {
    version: RECIPE_VERSION,
    ...(preset ? { preset } : { passes }),
    ...(Object.keys(recipe.freeze).length > 0 ? { freeze: recipe.freeze } : {}),
    ...(recipe.opset === undefined ? {} : { opset: recipe.opset }),
    ...(recipe.preprocess ? { preprocess: preprocessDocument(recipe.preprocess) } : {}),
    ...(recipe.deepen ? { deepen: DEEPEN_SETTINGS.document(recipe.deepen) } : {}),
    ...(recipe.factorize ? { factorize: FACTORIZE_SETTINGS.document(recipe.factorize) } : {}),
    ...(recipe.prune ? { prune: PRUNE_SETTINGS.document(recipe.prune) } : {}),
    ...(recipe.quantize ? { quantize: settingsDocument(recipe.quantize) } : {}),
    ...(recipe.combine ? { combine: COMBINE_SETTINGS.document(recipe.combine) } : {}),
  };
}

/**
 * A recipe from parsed JSON. `file` names it in errors.
 * @throws UsageError bad-recipe, unknown-pass, unknown-option, bad-value, conflict
 */
export function parseRecipe(json: unknown, file: string): Recipe {
  const bad = (what: string, fix: string): UsageError => new UsageError('bad-recipe', what, { at: { file }, fix });
  if (!isRecord(json))
    throw bad('the recipe is not a JSON object', `write {"version": ${RECIPE_VERSION}, "passes": [...]}`);
  const known = [
    'version',
    'preset',
    'passes',
    'freeze',
    'opset',
    'preprocess',
    'deepen',
    'factorize',
    'prune',
    'quantize',
    'combine',
    '$schema',
  ];
  for (const key of Object.keys(json)) {
    if (!known.includes(key))
      throw bad(`the recipe has an unknown key "${key}"`, suggestion(key, known) ?? `known keys: ${known.join(', ')}`);
  }
  const { version, preset, passes, freeze, opset, preprocess, deepen, factorize, prune, quantize, combine } = json;
  if (version === undefined) throw bad('the recipe has no version', `write "version": ${RECIPE_VERSION}`);
  if (version !== RECIPE_VERSION)
    throw bad(`the recipe has version ${JSON.stringify(version)}`, `this mcompress reads version ${RECIPE_VERSION}`);
  if (preset !== undefined && passes !== undefined)
    throw bad('the recipe has both "preset" and "passes"', 'keep one of them');
  if (preset !== undefined && !(typeof preset === 'string' && Object.hasOwn(PRESETS, preset))) {
    throw bad(`there is no preset ${JSON.stringify(preset)}`, suggestion(String(preset), Object.keys(PRESETS)) ?? '');
  }
  if (passes !== undefined && !Array.isArray(passes))
    throw bad('"passes" is not a list', 'write "passes": ["pass-name", ...]');
  if (opset !== undefined && !(typeof opset === 'number' && Number.isInteger(opset) && opset > 0))
    throw bad('"opset" is not a positive whole number', 'write "opset": 17');
  refuseBesideCombine(json, file);
  const fail = (what: string, fix: string): never => {
    throw bad(what, fix);
  };
  return {
    freeze: parseFreeze(freeze, bad),
    opset: opset === undefined ? undefined : Number(opset),
    passes:
      passes === undefined
        ? presetPasses((preset ?? 'exact') as PresetName)
        : passes.map((step: unknown) => parseStep(step, bad)),
    ...(preprocess === undefined ? {} : { preprocess: parsePreprocessKey(preprocess, file) }),
    ...(deepen === undefined ? {} : { deepen: DEEPEN_SETTINGS.read(deepen, fail) }),
    ...(factorize === undefined ? {} : { factorize: FACTORIZE_SETTINGS.read(factorize, fail) }),
    ...(prune === undefined ? {} : { prune: PRUNE_SETTINGS.read(prune, fail) }),
    ...(quantize === undefined ? {} : { quantize: readSettings(quantize, fail) }),
    ...(combine === undefined ? {} : { combine: COMBINE_SETTINGS.read(combine, fail) }),
  };
}

/** What `combine` chooses among cannot be asked for beside it. @throws UsageError conflict */
function refuseBesideCombine(json: Readonly<Record<string, unknown>>, file: string): void {
  const other = ['deepen', 'factorize', 'prune', 'quantize'].find((key) => json[key] !== undefined);
  if (json['combine'] === undefined || other === undefined) return;
  throw new UsageError('conflict', `the recipe has both "combine" and "${other}"`, {
    at: { file },
    fix: `keep one of them: "combine" chooses among all, or some with "kinds": ["${other === 'quantize' ? 'int8' : other}"]`,
  });
}

function parsePreprocessKey(json: unknown, file: string): Preprocess {
  try {
    return preprocessFromJson(json);
  } catch (error) {
    throw error instanceof UsageError ? locate(error, { file }) : error;
  }
}

function parseStep(step: unknown, bad: (what: string, fix: string) => UsageError): ConfiguredPass {
  if (typeof step === 'string') return parsePass(step);
  if (!isRecord(step) || typeof step['pass'] !== 'string')
    throw bad(`a pass is ${JSON.stringify(step)}`, 'write "name" or {"pass": "name", "options": {...}}');
  const stray = Object.keys(step).find((key) => key !== 'pass' && key !== 'options');
  if (stray !== undefined)
    throw bad(
      `the pass ${step['pass']} has an unknown key "${stray}"`,
      'write {"pass": "name", "options": {"key": value}}',
    );
  const { options = {} } = step;
  if (!isRecord(options))
    throw bad(`the options of ${step['pass']} are not an object`, 'write "options": {"key": value}');
  const pass = requirePass(step['pass']);
  for (const [key, value] of Object.entries(options)) {
    const kind = Object.hasOwn(pass.options, key) ? pass.options[key]?.kind : undefined;
    if (typeof value === 'string' && (kind === 'number' || kind === 'flag'))
      throw bad(`${pass.name}:${key} is the text ${JSON.stringify(value)}`, `write it without quotes: ${value}`);
  }
  return configure(pass, options);
}

function parseFreeze(freeze: unknown, bad: (what: string, fix: string) => UsageError): Recipe['freeze'] {
  if (freeze === undefined) return {};
  const isDims = (dims: unknown): dims is number[] =>
    Array.isArray(dims) && dims.every((dim) => Number.isInteger(dim) && Number(dim) > 0);
  if (!isRecord(freeze) || !Object.values(freeze).every(isDims))
    throw bad('"freeze" does not map inputs to sizes', 'write "freeze": {"input": [1, 3, 224, 224]}');
  return freeze as Recipe['freeze'];
}

/** Refuses a list in which a pass comes after one that rules it out. @throws UsageError conflict */
export function refuseConflicts(passes: readonly ConfiguredPass[]): void {
  for (const [index, { pass }] of passes.entries()) {
    const later = passes.slice(index + 1).find((other) => pass.conflicts?.includes(other.pass.name));
    if (later)
      throw new UsageError('conflict', `${later.pass.name} cannot come after ${pass.name}`, {
        fix: `put ${later.pass.name} in front`,
      });
  }
}

/** Refuses, in front of a run that changes layers, passes that belong behind it. @throws UsageError conflict */
export function refuseLast({ passes }: Pick<Recipe, 'passes'>, verb: string): void {
  const last = passes.find(({ pass }) => pass.place === 'last')?.pass.name;
  if (last !== undefined)
    throw new UsageError('conflict', `${last} belongs behind ${verb}, which would take parts of it for layers`, {
      fix: `leave ${last} out, and run mcompress slim OUT -p ${last} on what comes out`,
    });
}

function requirePass(name: string): AnyPass {
  const pass = findPass(name);
  if (!pass) {
    const names = ALL_PASSES.map((candidate) => candidate.name);
    throw new UsageError('unknown-pass', `there is no pass "${name}"`, {
      fix: suggestion(name, names) ?? 'see: mcompress passes',
    });
  }
  return pass;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON Schema (2020-12) of a recipe document. */
export function recipeSchema(): Record<string, unknown> {
  const step = (pass: AnyPass): Record<string, unknown> => ({
    type: 'object',
    required: ['pass'],
    additionalProperties: false,
    description: pass.summary,
    properties: {
      pass: { const: pass.name },
      options: {
        type: 'object',
        additionalProperties: false,
        properties: Object.fromEntries(
          Object.entries(pass.options).map(([key, option]) => [key, optionSchema(option)]),
        ),
      },
    },
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'mcompress recipe',
    type: 'object',
    required: ['version'],
    not: { required: ['preset', 'passes'] },
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      version: { const: RECIPE_VERSION },
      preset: { enum: Object.keys(PRESETS), description: 'A named list of passes' },
      passes: {
        type: 'array',
        items: { anyOf: [{ type: 'string', description: 'name, or name:option=value,...' }, ...ALL_PASSES.map(step)] },
      },
      freeze: {
        type: 'object',
        additionalProperties: { type: 'array', items: { type: 'integer', minimum: 1 } },
        description: 'Sizes to fix, per graph input',
      },
      opset: { type: 'integer', minimum: 1, description: 'Operator set to convert to' },
      preprocess: preprocessSchema(),
      deepen: DEEPEN_SETTINGS.schema(),
      factorize: FACTORIZE_SETTINGS.schema(),
      prune: PRUNE_SETTINGS.schema(),
      quantize: settingsSchema(),
      combine: COMBINE_SETTINGS.schema(),
    },
  };
}
