// Streamline slimming (DeepRebirth 2018, section 3.1): a convolution learns what normalization and pooling behind it did.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import { isRefusal } from '../plan.js';
import type { BlockDecline, BlockProposal, BlockRule, FoundBlocks } from './block-rule.js';
import {
  planStreamline,
  replaceStreamline,
  startingWeights,
  type StreamlineForm,
  type StreamlinePlan,
  type StreamlineRefusal,
} from './replace-streamline.js';
import { streamlineAt, type StreamlineSite } from './streamline-site.js';

const FORMS: Readonly<Record<StreamlineForm, string>> = {
  normless: 'normalizations go, pools stay',
  strided: 'pools go into the stride, the kernel stays as large as it is',
  enlarged: 'pools go into the stride, and the kernel sees all that they saw',
};

const isForm = (name: string): name is StreamlineForm => name in FORMS;

export const SLIM_STREAMLINE: BlockRule<StreamlineRefusal> = {
  name: 'slim-streamline',
  summary: 'a convolution stands for the normalization and pooling behind it',
  forms: FORMS,
  declines: {
    'no-normalization': 'there is no normalization to take in',
    'no-pool': 'there is no pool to take in',
    'behind-a-pool':
      'a normalization reads what was pooled, and a convolution in front of the pool cannot make up for it',
    'unknown-size': 'the size of the map is not known',
    cropped: 'the middle of what the pool sees begins inside of the map',
    size: 'no padding gives a map of the same size',
  },
  find: (graph, facts) => found(graph.nodes(), facts),
};

function found(nodes: readonly Node[], facts: Facts): FoundBlocks<StreamlineRefusal> {
  const proposals: BlockProposal[] = [];
  const declined: BlockDecline<StreamlineRefusal>[] = [];
  for (const node of nodes) {
    const site = streamlineAt(node, facts);
    if (!site) continue;
    for (const form of Object.keys(FORMS).filter(isForm)) {
      const plan = planStreamline(site, form, facts);
      if (!plan) continue;
      if (isRefusal(plan)) declined.push({ block: node, form, code: plan.refused });
      else proposals.push(proposalOf(site, form, plan));
    }
  }
  return { proposals, declined };
}

const proposalOf = (site: StreamlineSite, form: StreamlineForm, plan: StreamlinePlan): BlockProposal => ({
  form,
  block: site.conv,
  nodes: [site.conv, ...plan.taken.map(({ node }) => node)],
  apply: () => ({ layers: [replaceStreamline(plan, startingWeights(plan))], kept: new Map() }),
});
