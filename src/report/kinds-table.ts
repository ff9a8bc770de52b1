// The first table of DeepRebirth (Li et al. 2018), for a model of the user: where the time goes, before and after.
import { time } from './blocks.js';
import type { DeepenReport } from './deepen-report.js';
import { left, right, tableBlock, type Block } from './document.js';
import { share } from './format.js';

/** Nothing where the models were not profiled. */
export function kindsTable(kinds: DeepenReport['kinds']): Block | undefined {
  if (!kinds) return undefined;
  const { before, after } = kinds;
  const total = ({ tensorUs, nonTensorUs, runtimeUs }: typeof before): number => tensorUs + nonTensorUs + runtimeUs;
  const row = (label: string, key: keyof typeof before): string[] => [
    label,
    time(before[key]),
    share(before[key], total(before)),
    time(after[key]),
    share(after[key], total(after)),
  ];
  return tableBlock(
    'Time by kinds of layers, profiled (DeepRebirth 2018, table 1)',
    'open',
    [left('layers'), right('before'), right('share', 1), right('after'), right('share', 1)],
    [
      row('tensor: learned weights of higher order', 'tensorUs'),
      row('non-tensor: pooling, normalization, activation', 'nonTensorUs'),
      row('put in by the runtime: reorders of layouts', 'runtimeUs'),
    ],
  );
}
