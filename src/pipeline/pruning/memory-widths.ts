// Widths for a bound on memory: what is alive at one time, at every node, has to fit.
import { GateError } from '../../base/errors.js';
import { allocatePeak } from './allocate-peak.js';
import { choiceOf, problemOf } from './choose-widths.js';
import { costAt, type MemoryForm } from './costs.js';
import type { KeptReason, MemoryObjective, WidthChoice, WidthPlan } from './width-choice.js';

/**
 * Widths of little error with which no node needs more memory, and the units that leave.
 * @throws GateError when no widths meet it: the message names the node that needs most
 */
export function widthsWithinMemory(
  plan: WidthPlan,
  memory: readonly MemoryForm[],
  objective: MemoryObjective,
): WidthChoice {
  const { studied } = plan.study;
  const problems = memory.map((form) => problemOf(plan, form));
  const { groups = [] } = problems[0] ?? {};
  const bounds = problems.map(({ cost }) => cost);
  const found = allocatePeak({ groups, bounds, most: objective.most });
  if (found.kind === 'infeasible') throw beyondReach(plan, memory, objective, found.least);
  const widths = studied.map(({ curve }, at) => curve.kept[found.picks[at] ?? 0] ?? 0);
  const isTight = memory.map((form) => costAt(form, new Map()) > objective.most);
  const reasons = studied.map((_, at): KeptReason => {
    const counts = bounds.some(({ linear, products }, node) => {
      const grows = (linear[at] ?? 0) > 0 || products.some(({ a, b }) => a === at || b === at);
      return isTight[node] === true && grows;
    });
    return counts ? 'worth' : 'no-gain';
  });
  return choiceOf(plan, widths, { method: 'descent', reasons });
}

function beyondReach(
  { study }: WidthPlan,
  memory: readonly MemoryForm[],
  { most, of }: MemoryObjective,
  least: number,
): GateError {
  const narrowest = new Map(study.studied.map(({ group, curve }) => [group, curve.kept[0] ?? group.width]));
  const at = memory.toSorted((a, b) => costAt(b, narrowest) - costAt(a, narrowest))[0]?.node;
  // Rounded up, so that what is named can be had.
  const part = `${(Math.ceil((100 * least) / of) / 100).toFixed(2)}x`;
  const isTied = study.left.some(({ group }) => group.frozen?.code === 'mixes-channels');
  const asked = `${Number((most / of).toPrecision(3))}x`;
  return new GateError(
    `removing channels cannot bring the memory of activations down to ${asked}: ${part} is the least`,
    {
      ...(at ? { at: { node: at.name === '' ? at.opType : at.name } } : {}),
      fix: isTied
        ? `ask for ${part} or more, or write out the normalizations that keep channels together first: mcompress slim -p expand-lrn`
        : `ask for ${part} or more, or allow more widths (--widths)`,
    },
  );
}
