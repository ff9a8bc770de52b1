// What each run within a choice among all passes did: the tables of its own report, folded, under the name of the step.
import type { CombineReport, StageReport } from './combine-report.js';
import { stayedTable as stayedBlocks, takenTable } from './deepen-document.js';
import { methodText as deepenMethod } from './deepen-words.js';
import { section, type Block, type Section } from './document.js';
import { chainTable, stayedTable as wholeLayers } from './factorize-document.js';
import { methodText as factorizeMethod } from './factorize-words.js';
import { groupTable } from './prune-document.js';
import { methodText as pruneMethod } from './prune-words.js';
import { floatTable, layerTable, missTable } from './quantize-document.js';
import { calibrationText } from './quantize-words.js';

/** One section for each run that the result came of. */
export const stageSections = ({ stages, steps }: CombineReport): Section[] =>
  stages.flatMap((stage) => {
    const what = steps.find(({ name }) => name === stage.name)?.what;
    const { method, tables } = stageParts(stage);
    const text = [...(what === undefined ? [] : [what]), ...method].join('; ');
    return section(
      `Step ${stage.name}`,
      text === '' ? undefined : { kind: 'text', text: `${text}.` },
      ...tables.map(folded),
    );
  });

interface StageParts {
  readonly method: readonly string[];
  readonly tables: readonly (Block | undefined)[];
}

function stageParts({ deepen, prune, factorize, quantize }: StageReport): StageParts {
  if (deepen) return { method: [deepenMethod(deepen)], tables: [takenTable(deepen), stayedBlocks(deepen)] };
  if (prune) return { method: [pruneMethod(prune)], tables: [groupTable(prune, 'folded')] };
  if (factorize)
    return { method: [factorizeMethod(factorize)], tables: [chainTable(factorize), wholeLayers(factorize)] };
  if (!quantize) return { method: [], tables: [] };
  return {
    method: [calibrationText(quantize)],
    tables: [missTable(quantize), floatTable(quantize), layerTable(quantize, 'folded')],
  };
}

const folded = (block: Block | undefined): Block | undefined =>
  block?.kind === 'table' ? { ...block, shown: 'folded' } : block;
