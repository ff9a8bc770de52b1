// Branch slimming (DeepRebirth 2018, section 3.2): branches of inception-like blocks go, and a neighbour gives what they gave.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import { isRefusal } from '../plan.js';
import type { BlockDecline, BlockProposal, BlockRule, FoundBlocks } from './block-rule.js';
import { branchBlock, type BranchBlock } from './branch-block.js';
import type { HostPlan } from './branch-host.js';
import { placeHosts } from './branch-place.js';
import { planBranches, type BranchForm, type BranchRefusal } from './branch-plan.js';

interface NamedForm extends BranchForm {
  readonly what: string;
}

const FORMS: Readonly<Record<string, NamedForm>> = {
  unpooled: {
    ...{ cover: 'unpooled', share: 1, more: 'none' },
    what: 'the pool of the pooling branch goes, its 1x1 convolution stays',
  },
  pool: {
    ...{ cover: 'pool', share: 1, more: 'none' },
    what: 'the pooling branch goes, and the neighbour with the larger kernel gives its outputs',
  },
  'pool-wide': {
    ...{ cover: 'pool', share: 1, more: 'pooled' },
    what: 'as `pool`; what is in front of the larger kernel gets some units of the branch that goes',
  },
  large: {
    ...{ cover: 'large', share: 1, more: 'none' },
    what: 'one branch gives the outputs of all that look at more than one position, the pooling branch among them',
  },
  'large-wide': {
    ...{ cover: 'large', share: 1, more: 'pooled' },
    what: 'as `large`; what is in front of its kernel gets some units of the pooling branch',
  },
  'large-thin': {
    ...{ cover: 'large', share: 0.75, more: 'pooled' },
    what: 'as `large-wide`; of the units in front of the kernels only three quarters stay',
  },
  'both-half': {
    ...{ cover: 'both', share: 0.5, more: 'none' },
    what: 'pooling branch and 1x1 branch go, each to a neighbour with a larger kernel and half of the units in front of it',
  },
  whole: { ...{ cover: 'whole', share: 1, more: 'none' }, what: 'one branch gives the outputs of all' },
  'whole-half': {
    ...{ cover: 'whole', share: 0.5, more: 'none' },
    what: 'as `whole`, with half of the units in front of its kernel',
  },
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
    for (const [form, how] of Object.entries(FORMS)) {
      const plan = planBranches(block, how);
      if (!plan) continue;
      if (isRefusal(plan)) declined.push({ block: node, form, code: plan.refused });
      else proposals.push({ form, block: node, nodes: nodesOf(block, plan), apply: () => placeHosts(block, plan) });
    }
  }
  return { proposals, declined };
}

/** All that goes or changes: the convolutions that are stacked with those of the branches too. */
function nodesOf({ concat, stacks }: BranchBlock, hosts: readonly HostPlan[]): Node[] {
  const members = hosts.flatMap((host) => host.members);
  const own = members.flatMap(({ layers }) => layers);
  const others = own.flatMap(({ split }) => (split && stacks.get(split)) ?? []);
  const nodes = [...own, ...others].flatMap(({ conv, activation, split }) => [conv, activation, split]);
  const pools = members.map(({ pool }) => pool?.node);
  return [...new Set([concat, ...pools, ...nodes])].filter((node) => node !== undefined);
}
