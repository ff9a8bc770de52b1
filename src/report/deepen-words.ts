// What a run of learned slimming has to say, in words, the same in every form: why blocks stayed, gates, what was kept.
import type { BlockReason } from '../pipeline/deepening/outcome.js';
import type { BlockReport, DeepenReport } from './deepen-report.js';
import type { Tone } from './figures.js';
import { given, plural, share } from './format.js';
import { maxDropText } from './loss-words.js';
import { budgetText } from './trade-words.js';

/** Why a block was not replaced so, as a clause about it. */
export const BLOCK_WORDS: Readonly<Record<BlockReason, string>> = {
  'slower-block': 'the model was measured no faster with it',
  'no-saving': 'it makes nothing smaller that was to get smaller',
  'not-finite': 'no fit could be found: values are infinite or no numbers',
  fails: 'the runtime does not run it',
  'no-time': 'the time for looking was over before its turn',
  worth: 'others lose less by what they save',
  met: 'the budget is met without',
  'no-gain': 'beside the others it saves nothing, and the block was put back',
  slower: 'the model with what was chosen was not measured faster',
  loss: 'nothing keeps the loss within what is allowed',
};

export const blockReason = (code: BlockReason): string => BLOCK_WORDS[code];

export const takenBlocks = ({ blocks }: DeepenReport): BlockReport[] => blocks.filter(({ code }) => code === undefined);

const count = (blocks: readonly BlockReport[]): number => new Set(blocks.map(({ block }) => block)).size;

/** `2 of 5 blocks replaced`. */
export const blocksText = (report: DeepenReport): string =>
  `${takenBlocks(report).length} of ${plural(count(report.blocks), 'block')} replaced`;

/** Reasons that say why nothing came of a run, the first that applies. */
const WHY: readonly BlockReason[] = ['slower', 'loss', 'no-gain', 'met', 'slower-block', 'no-saving'];

/** What is written where no block was replaced. */
export function keptText({ kept, blocks }: DeepenReport): { readonly text: string; readonly tone: Tone } | undefined {
  if (kept === 'deepened') return undefined;
  const why = WHY.find((code) => blocks.some((block) => block.code === code));
  const words = why === undefined ? 'no rule found a block that it could replace' : BLOCK_WORDS[why];
  return { text: `No block was replaced: ${words}. What is written is the same model, slimmed.`, tone: 'warn' };
}

/** Which gate was missed; undefined when all were met. `strict`: a result that nothing could be said of is a miss, too. */
export function missedText(report: DeepenReport, mode: 'strict' | 'usual'): string | undefined {
  const { gates, accuracy, baseline, kept } = report;
  if (gates.budget?.verdict === 'missed') return `${gates.budget.asked}: ${budgetText(report, NOTHING_TEXT)}`;
  if (gates.maxDrop?.verdict === 'missed') return `--max-drop: ${maxDropText(report)}`;
  if (baseline?.verdict === 'regressed') return `worse than ${baseline.name}`;
  if (mode === 'usual') return undefined;
  if (accuracy.loss === undefined) return '--strict: what is lost could not be measured';
  return kept === 'original' ? `--strict: ${NOTHING_TEXT}` : undefined;
}

export const NOTHING_TEXT = 'no block was replaced';

/** How blocks were replaced, in a few words. */
export function methodText({ method, samples, kept }: DeepenReport): string {
  const { aim, start, repair, refitted, last } = method;
  return [
    `blocks chosen for ${aim} on ${plural(samples.fitted, 'sample')}`,
    ...(start === 'xavier' ? ['new layers random: nothing but a training makes them good'] : []),
    ...(repair === 'on' && refitted > 0 && kept === 'deepened' ? [`${plural(refitted, 'layer')} fitted`] : []),
    ...(last.length > 0 ? [`then ${last.join(', ')}`] : []),
  ].join(', ');
}

/** `non-tensor layers: 73 % of the time before, 8 % after`. */
export function kindsText({ kinds }: Pick<DeepenReport, 'kinds'>): string | undefined {
  return (
    kinds &&
    given(kinds, ({ before, after }) => {
      const part = (one: typeof before): string =>
        share(one.nonTensorUs, one.tensorUs + one.nonTensorUs + one.runtimeUs);
      return `non-tensor layers: ${part(before)} of the time before, ${part(after)} after`;
    })
  );
}
