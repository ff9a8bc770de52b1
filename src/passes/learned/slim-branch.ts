// Branch slimming (DeepRebirth 2018, section 3.2): branches of inception-like blocks go, and a neighbour gives what they gave.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import { isRefusal } from '../plan.js';
import type { BlockDecline, BlockProposal, BlockRule, FoundBlocks } from './block-rule.js';
import { branchBlock, type BranchBlock } from './branch-block.js';
import type { HostPlan } from './branch-host.js';
import { placeHost } from './branch-place.js';
import { planBranches, type BranchForm, type BranchRefusal } from './branch-plan.js';

const FORMS: Readonly<Record<BranchForm, string>> = {
  unpooled: 'the pool of the pooling branch goes, its 1x1 convolution stays',
  pool: 'the pooling branch goes, and the neighbour with the larger kernel gives its outputs',
  'pool-wide': 'as `pool`; what is in front of the larger kernel gets some units of the branch that goes',
  large: 'one branch gives the outputs of all that look at more than one position, the pooling branch among them',
  'large-wide': 'as `large`; what is in front of its kernel gets some units of the pooling branch',
  whole: 'one branch gives the outputs of all',
};

const isForm = (name: string): name is BranchForm => name in FORMS;

export const SLIM_BRANCH: BlockRule<BranchRefusal> = {
  name: 'slim-branch',
  summary: 'one branch of a block gives what its neighbours gave',
  forms: FORMS,
  declines: {
    'other-branch': 'a branch does not come from what the others read, or others read within it',
    'long-branch': 'a branch is more than a 1x1 convolution and one more',
    grouped: 'a convolution has groups',
    strided: 'a convolution or the pool skips positions',
    size: 'the padding changes the size of the map',
    'no-host': 'no branch next to those that go has a kernel that covers them',
    mixed: 'of the larger kernels some read a 1x1 convolution, and others what the block reads',
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
    for (const form of Object.keys(FORMS).filter(isForm)) {
      const plan = planBranches(block, form);
      if (!plan) continue;
      if (isRefusal(plan)) declined.push({ block: node, form, code: plan.refused });
      else proposals.push({ form, block: node, nodes: nodesOf(block, plan), apply: () => placeHost(plan) });
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
