// Groups of channels in a report: what may leave the model together, and what keeps the others in.
import { findChannelGroups } from '../analysis/channels.js';
import type { ChannelGroup, FreezeCode } from '../analysis/channel-group.js';
import type { Facts } from '../analysis/facts.js';
import type { Model } from '../ir/model.js';
import { someNames } from './blocks.js';
import { left, name, right, tableBlock, toned, type Block } from './document.js';
import { plural } from './format.js';
import { choice, list, maybe, object, whole, words, type ValueOf } from './shape.js';

/** What each code means, for people. */
export const FREEZE_WORDS: Readonly<Record<FreezeCode, string>> = {
  'graph-input': 'the caller feeds it',
  'graph-output': 'the caller gets it',
  'opaque-operator': 'what the node does with channels is not known',
  'mixes-channels': 'the node mixes all channels, or cuts across them',
  'unknown-shape': 'its size is not known',
  subgraph: 'a subgraph uses it',
  'fixed-index': 'the node names one of the channels, or how many there are',
  'no-reader': 'no layer sums over it',
  'no-maker': 'no layer makes it',
};

export const CHANNEL_GROUP = object(
  {
    name: words('What its first layer makes'),
    width: whole('Units: channels that can leave one by one', { min: 1 }),
    makers: list(words('Node'), 'Tensor layers whose filters make the units'),
    readers: list(
      object(
        { node: words('Node'), slot: whole('Input'), axis: whole('Axis of that input along which the units lie') },
        'One layer',
      ),
      'Layers that sum over the units',
    ),
    members: list(
      object(
        {
          value: words('Value, weights included'),
          axis: whole('Axis'),
          indices: whole('Indices along the axis, those of all units together'),
        },
        'One value',
      ),
      'All that is cut when a unit leaves',
    ),
    frozen: maybe(
      object(
        {
          code: choice(Object.keys(FREEZE_WORDS) as FreezeCode[], 'Why the group cannot be pruned'),
          at: words('The node or value to blame'),
        },
        'What freezes it',
      ),
    ),
  },
  'Channels that stand or fall together',
);

export type ChannelGroupFacts = ValueOf<typeof CHANNEL_GROUP>;

/** The groups of `model` as a report lists them. */
export function channelGroupFacts(model: Model, facts: Facts): ChannelGroupFacts[] {
  return findChannelGroups(model, facts).map(groupFacts);
}

function groupFacts({ name: title, width, makers, readers, members, frozen }: ChannelGroup): ChannelGroupFacts {
  return {
    name: title,
    width,
    makers: makers.map(({ label }) => label),
    readers: readers.map(({ node, slot, axis }) => ({ node: node.label, slot, axis })),
    members: members.map(({ value, axis, indices }) => ({
      value: value.name,
      axis,
      indices: indices.reduce((sum, unit) => sum + unit.length, 0),
    })),
    frozen,
  };
}

/** Groups in a table, and what belongs to each in a folded one. */
export function channelGroupBlocks(groups: readonly ChannelGroupFacts[] | undefined): (Block | undefined)[] {
  if (groups === undefined) return [];
  if (groups.length === 0) return [{ kind: 'text', text: 'No layer makes channels that could leave.', tone: 'plain' }];
  const open = groups.filter(({ frozen }) => frozen === undefined);
  const units = open.reduce((sum, { width }) => sum + width, 0);
  const text = `${plural(open.length, 'group')} of ${groups.length} can be pruned, ${plural(units, 'unit')} in all.`;
  return [{ kind: 'text', text, tone: 'plain' }, groupTable(groups), legend(groups), memberTable(groups)];
}

/** The codes that freeze some of `groups`, in words. */
function legend(groups: readonly ChannelGroupFacts[]): Block | undefined {
  const codes = new Set(groups.flatMap(({ frozen }) => frozen?.code ?? []));
  const facts = [...codes].map((code): readonly [string, string] => [code, FREEZE_WORDS[code]]);
  return facts.length === 0 ? undefined : { kind: 'facts', facts };
}

function groupTable(groups: readonly ChannelGroupFacts[]): Block | undefined {
  return tableBlock(
    'Channels that stand or fall together, in order of execution',
    'open',
    [
      ...[left('group'), right('width'), right('makers'), right('readers'), right('values', 1)],
      ...[left('frozen by'), left('made by', 2), left('read by', 3)],
    ],
    groups.map(({ name: title, width, makers, readers, members, frozen }) => [
      name(title),
      ...[width, makers.length, readers.length, members.length].map(String),
      frozen === undefined ? '' : { ...toned(`${frozen.code}: ${frozen.at}`, 'warn'), name: 'name' },
      name(someNames(makers, 1)),
      name(readers.length === 0 ? '' : someNames([readers[0]?.node ?? ''], 1, readers.length)),
    ]),
  );
}

function memberTable(groups: readonly ChannelGroupFacts[]): Block | undefined {
  return tableBlock(
    'What is cut when a unit leaves',
    'folded',
    [left('group'), left('value'), right('axis'), right('indices')],
    groups.flatMap(({ name: title, members }) =>
      members.map(({ value, axis, indices }, at) => [
        at === 0 ? name(title) : '',
        name(value),
        String(axis),
        String(indices),
      ]),
    ),
  );
}
