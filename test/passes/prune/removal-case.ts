// Carries out one case of removal, and holds what comes out against the masked original.
import type { ChannelGroup } from '../../../src/analysis/channel-group.js';
import { findChannelGroups } from '../../../src/analysis/channels.js';
import { createFacts } from '../../../src/analysis/inference.js';
import { checkModel } from '../../../src/ir/check.js';
import type { Model } from '../../../src/ir/model.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { printModel } from '../../../src/ir/text/print.js';
import { removeUnits } from '../../../src/passes/prune/remove-units.js';
import type { RuntimeHost } from '../../../src/runtime/host.js';
import type { GoldenCase } from '../golden-file.js';
import { difference, feedsFor, runModel } from '../run-model.js';
import { maskUnits } from '../../../src/passes/prune/mask-units.js';

/** Units by the name of their group. */
export type NamedUnits = ReadonlyMap<string, readonly number[]>;

export interface RemovedFrom {
  readonly model: Model;
  /** What was removed; what was refused is not in it. */
  readonly removed: NamedUnits;
  /** `code: group` per refusal, sorted. */
  readonly declines: readonly string[];
}

const FEEDS = [0, 1, 2];

/** Groups of the model by name, with units to be removed of them. @throws Error when there is no such group */
export function byGroup(groups: readonly ChannelGroup[], units: NamedUnits): Map<ChannelGroup, readonly number[]> {
  return new Map(
    [...units].map(([name, list]) => {
      const group = groups.find((one) => one.name === name);
      if (!group) throw new Error(`no group ${name}: there are ${groups.map((one) => one.name).join(', ')}`);
      return [group, list];
    }),
  );
}

/** Removes units from a model given as text. `options`: group name to unit numbers with blanks between. */
export function removeFromText(text: string, options: Readonly<Record<string, string>>): RemovedFrom {
  const units: NamedUnits = new Map(
    Object.entries(options).map(([name, list]) => [name, list.split(/\s+/).filter(Boolean).map(Number)]),
  );
  const model = parseModel(text);
  const facts = createFacts(model);
  const { removed, refused } = removeUnits(model, facts, byGroup(findChannelGroups(model, facts), units));
  return {
    model,
    removed: new Map(removed.map(({ name }) => [name, units.get(name) ?? []])),
    declines: [...refused].map(([{ name }, { code }]) => `${code}: ${name}`).sort(),
  };
}

/** The original with the units masked. */
export function maskedText(text: string, units: NamedUnits): Model {
  const model = parseModel(text);
  const facts = createFacts(model);
  maskUnits(facts, byGroup(findChannelGroups(model, facts), units));
  return model;
}

/** Everything that is not as it should be, whatever the case expects. */
export async function removalDefects(
  { before, feeds }: Pick<GoldenCase, 'before' | 'feeds'>,
  { model, removed }: Pick<RemovedFrom, 'model' | 'removed'>,
  host: RuntimeHost,
): Promise<string[]> {
  const defects = checkModel(model).map(({ rule, message }) => `${rule}: ${message}`);
  const masked = maskedText(before, removed);
  for (const seed of FEEDS) {
    const given = feedsFor(masked, seed, feeds);
    const problem = difference(await runModel(host, masked, given), await runModel(host, model, given), 1e-5);
    if (problem !== undefined) defects.push(`feed ${seed}: ${problem}`);
  }
  return [...defects, ...rollBackDefects(model, before)];
}

function rollBackDefects(model: Model, before: string): string[] {
  const [mark, end] = [model.journal.mark(), printModel(model, { weights: 'full' })];
  model.journal.seek(0);
  const isBack = printModel(model, { weights: 'full' }) === printModel(parseModel(before), { weights: 'full' });
  model.journal.seek(mark);
  const isForth = printModel(model, { weights: 'full' }) === end;
  return [...(isBack ? [] : ['rolling back does not restore the model']), ...(isForth ? [] : ['nor forward'])];
}
