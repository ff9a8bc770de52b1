// In which order proposals are looked at where time may run out: of each form those first that touch the most time of the model, the
// forms in turn, so that none is left out.
import { profileModel } from '../../runtime/profile.js';
import { layerTimes } from '../layer-times.js';
import type { NamedProposal } from './blocks.js';
import type { DeepenRun } from './deepen-run.js';

/** The proposals in that order. @throws what profiling throws */
export async function mostPromisingFirst(
  run: DeepenRun,
  proposals: readonly NamedProposal[],
): Promise<readonly NamedProposal[]> {
  const times = new Map(
    await run.journal.recall('time of nodes', async () => {
      const { threads, signal } = run.request;
      run.request.onStage?.('timing layers');
      const profile = await profileModel(run.host, run.slimmed.path, run.samples.first, { threads, signal });
      await run.host.release();
      return [...layerTimes(run.slimmed.model, profile).of].map(([node, { us }]) => [node.label, us] as const);
    }),
  );
  const touched = ({ proposal }: NamedProposal): number =>
    proposal.nodes.reduce((sum, { label }) => sum + (times.get(label) ?? 0), 0);
  const formOf = ({ rule, proposal }: NamedProposal): string => `${rule.name} ${proposal.form}`;
  const sorted = [...new Set(proposals.map(formOf))].map((form) =>
    proposals.filter((one) => formOf(one) === form).toSorted((a, b) => touched(b) - touched(a)),
  );
  const most = Math.max(0, ...sorted.map(({ length }) => length));
  return Array.from({ length: most }, (_, at) => sorted.flatMap((alike) => alike[at] ?? [])).flat();
}
