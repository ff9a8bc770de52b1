// Channel groups of an IR text as lines: `name width: members | makers | readers | what freezes it`. A member is
// `value.axis`, followed by its indices by unit where these are not 0, 1, 2 ...: `flat.1(0 1, 2 3)`.
import { findChannelGroups } from '../../src/analysis/channels.js';
import type { ChannelGroup, GroupMember } from '../../src/analysis/channel-group.js';
import { createFacts } from '../../src/analysis/inference.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';

export function groupsOf(model: Model): readonly ChannelGroup[] {
  return findChannelGroups(model, createFacts(model));
}

function groupLines(text: string): string[] {
  return groupsOf(parseModel(text)).map(({ name, width, members, makers, readers, frozen }) =>
    [
      `${name} ${width}: ${members.map(memberText).join(' ')}`,
      makers.map((node) => node.output?.name).join(' '),
      readers.map(({ node, slot, axis }) => `${node.output?.name}/${slot}.${axis}`).join(' '),
      ...(frozen ? [`${frozen.code} ${frozen.at}`] : []),
    ].join(' | '),
  );
}

function memberText({ value, axis, indices }: GroupMember): string {
  const isPlain = indices.every((list, unit) => list.length === 1 && list[0] === unit);
  return `${value.name}.${axis}${isPlain ? '' : `(${indices.map((list) => list.join(' ')).join(', ')})`}`;
}

/** x has 2 channels; `nodes` end in y. */
export const net = (weights: string, nodes: string, { input = 'float[1,2,4,4] x', output = 'float[N,M,O,P] y' } = {}) =>
  groupLines(`g (${input}) => (${output}) <${weights}> { ${nodes} }`);

/** A layer that makes `width` channels called a, and one that reads `read` of r into one channel. */
export const between = (width: number, nodes: string, read = width, more = '') =>
  net(
    `float[${width},2,1,1] wa = random(1), float[1,${read},1,1] wr = random(2)${more === '' ? '' : `, ${more}`}`,
    `a = Conv (x, wa) ${nodes} y = Conv (r, wr)`,
  );
