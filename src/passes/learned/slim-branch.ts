// Branch slimming (DeepRebirth 2018, section 3.2): branches of inception-like blocks go, and a neighbour gives what they gave.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import { isRefusal } from '../plan.js';
import type { BlockDecline, BlockProposal, BlockRule, FoundBlocks } from './block-rule.js';
import { branchBlock, type BranchBlock } from './branch-block.js';
import type { HostPlan } from './branch-host.js';
import { placeHost } from './branch-place.js';
import { planBranches, type BranchForm, type BranchRefusal } from './branch-plan.js';

interface NamedForm extends BranchForm {
  readonly what: string;
}

const FORMS: Readonly<Record<string, NamedForm>> = {
  unpooled: { cover: 'unpooled', share: 1, what: 'the pool of the pooling branch goes, its 1x1 convolution stays' },
  'large-75': {
    ...{ cover: 'large', share: 0.75 },
    what: 'one branch gives what all with larger kernels and pools gave, with three quarters of the units in front',
  },
  'large-50': { cover: 'large', share: 0.5, what: 'as `large-75`, with half of the units' },
  'whole-50': { cover: 'whole', share: 0.5, what: 'one branch gives what all gave, with half of the units in front' },
};

export const SLIM_BRANCH: BlockRule<BranchRefusal> = {
  name: 'slim-branch',
  summary: 'one branch of a block gives what its neighbours gave',
  forms: Object.fromEntries(Object.entries(FORMS).map(([form, { what }]) => [form, what])),
  declines: {
    'other-branch': 'a branch does not come from what the others read, or others read within it',
    'long-branch': 'a branch is more than a 1x1 convolution and one more',
    grouped: 'a convolution has groups',
    strided: 'a convolution or the pool skips positions',
    size: 'the padding changes the size of the map',
    'no-host': 'no branch has a kernel as large as what the pools see',
    'no-reducer': 'no 1x1 convolution stands in front of a larger kernel, which would only get more work',
    'activations-differ': 'the branches end in different activations',
  },
  find: (graph, facts) => found(graph.nodes(), facts),
};

function found(nodes: readonly Node[], facts: Facts): FoundBlocks<BranchRefusal> {
  const proposals: BlockProposal[] = [];
  const declined: BlockDecline<BranchRefusal>[] = [];
  for (const node of nodes) {
    const block = branchBlock(node, facts);
    if (!block) continue;
    for (const [form, how] of Object.entries(FORMS)) {
      const plan = planBranches(block, how);
      if (!plan) continue;
      if (isRefusal(plan)) declined.push({ block: node, form, code: plan.refused });
      else proposals.push({ form, block: node, nodes: nodesOf(block, plan), apply: () => placeHost(block, plan) });
    }
  }
  return { proposals, declined };
}

/** All that goes or changes: the convolutions that are stacked with those of the branches too. */
function nodesOf({ concat, stacks }: BranchBlock, { members }: HostPlan): Node[] {
  const own = members.flatMap(({ layers }) => layers);
  const others = own.flatMap(({ split }) => (split && stacks.get(split)) ?? []);
  const nodes = [...own, ...others].flatMap(({ conv, activation, split }) => [conv, activation, split]);
  const pools = members.map(({ pool }) => pool?.node);
  return [...new Set([concat, ...pools, ...nodes])].filter((node) => node !== undefined);
}
