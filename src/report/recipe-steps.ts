// The steps of a recipe that are no passes, since they look at samples: what `mcompress passes` says of them.
import { DEEPEN_SETTINGS } from '../pipeline/deepening/settings.js';
import { FACTORIZE_SETTINGS } from '../pipeline/factorizing/settings.js';
import { PRUNE_SETTINGS } from '../pipeline/pruning/settings.js';
import type { Exactness, PassCategory, PassNeed } from '../passes/pass.js';
import { BLOCK_RULES } from '../passes/learned/rules.js';
import { BLOCK_WORDS } from './deepen-words.js';
import { STAY_WORDS } from './factorize-words.js';
import { KEEP_WORDS } from './prune-words.js';

/** As a pass is described; it stands behind all passes, with options as settings of a run have them. */
export interface RecipeStep {
  readonly name: string;
  readonly category: PassCategory;
  readonly exactness: Exactness;
  readonly needs: readonly PassNeed[];
  readonly summary: string;
  readonly details: string;
  /** JSON Schema by name, as behind `-p NAME:`. */
  readonly options: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** What an option has to be, in words. */
  readonly expected: Readonly<Record<string, string>>;
  readonly declines: Readonly<Record<string, string>>;
}

const hyphened = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

interface Table {
  schema(): Record<string, unknown>;
  expectedOf(key: never): string;
}

/** Options without those that the name of the step says already. */
function optionsOf(table: Table, left: readonly string[]): Pick<RecipeStep, 'options' | 'expected'> {
  const properties = table.schema()['properties'] as RecipeStep['options'];
  const keys = Object.keys(properties).filter((key) => !left.includes(key));
  return {
    options: Object.fromEntries(keys.map((key) => [hyphened(key), properties[key] ?? {}])),
    expected: Object.fromEntries(keys.map((key) => [hyphened(key), table.expectedOf(key as never)])),
  };
}

const CHAINS = `
The chain is fitted to the outputs of the layer on samples (\`metric\`), chosen with those of all other layers so that together they
lose least within a budget, and refitted to what the original gives (docs/factorize.md). A layer stays factorized only where the
model is measured faster with it, or smaller in what was asked for.`;

const BLOCKS = `

What stands for a block is fitted to its outputs on samples, timed within the whole model, and stays where it is measured faster; sets of
such blocks are chosen so that together they lose least, and everything behind them is refitted (docs/deepen.md).`;

const ruleSteps = (): RecipeStep[] =>
  BLOCK_RULES.map(({ name, summary, forms, declines }) => ({
    name,
    category: 'learned',
    exactness: 'lossy',
    needs: ['data'],
    summary,
    details: `${Object.entries(forms)
      .map(([form, words]) => `\`${form}\`: ${words}.`)
      .join('\n\n')}${BLOCKS}`,
    ...optionsOf(DEEPEN_SETTINGS, ['rules']),
    declines: { ...declines, ...BLOCK_WORDS },
  }));

export const RECIPE_STEPS: readonly RecipeStep[] = [
  ...ruleSteps(),
  {
    name: 'factorize-conv',
    category: 'factorize',
    exactness: 'lossy',
    needs: ['data'],
    summary: 'Convolutions become chains of smaller ones: spatial SVD, channel SVD, Tucker-2, CP',
    details: `A kernel of C inputs, O outputs and k x k positions becomes two to five smaller layers with strides, pads and dilations on
those with the kernel and the bias on the last.${CHAINS}`,
    ...optionsOf(FACTORIZE_SETTINGS, ['layers']),
    declines: STAY_WORDS,
  },
  {
    name: 'factorize-dense',
    category: 'factorize',
    exactness: 'lossy',
    needs: ['data'],
    summary: 'Gemm and MatMul become two by truncated SVD',
    details: `Weights of C inputs and O outputs become C -> R -> O, where R (C + O) < C O. A bias in an Add behind a MatMul stays
there.${CHAINS}`,
    ...optionsOf(FACTORIZE_SETTINGS, ['layers', 'schemes', 'groupSize']),
    declines: STAY_WORDS,
  },
  {
    name: 'prune-filters',
    category: 'prune',
    exactness: 'lossy',
    needs: ['data'],
    summary: 'Channels that the model can do without leave, and what is left is refitted',
    details: `Groups of channels that stand or fall together lose units, ranked by \`score\`, and the layers behind them are refitted
to what the original gives (docs/prune.md).`,
    ...optionsOf(PRUNE_SETTINGS, []),
    declines: KEEP_WORDS,
  },
];
