// Which units leave for which aim: what is known of the groups is found out once, and every choice is noted in the journal, so
// that a run that goes on chooses alike.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import { findChannelGroups } from '../../analysis/channels.js';
import type { Removals } from '../../passes/prune/remove-units-cuts.js';
import { SCORES } from '../../passes/prune/scores/registry.js';
import { convolutionBlock } from '../../runtime/machine.js';
import { benchFacts, type QuantizationBench } from '../quantization/bench.js';
import { candidateOf, type Candidate } from './candidate.js';
import { chooseWidths, widthFrontier } from './choose-widths.js';
import { countedCost, memoryForms, type CostKind, type WidthCost } from './costs.js';
import { groupStarts, type GroupStart } from './group-rows.js';
import { allChannels } from './kept-channels.js';
import { latencyCost } from './latency-costs.js';
import { ruleFor, type KernelTarget, type LevelOptions } from './levels.js';
import { makePruned } from './make-pruned.js';
import type { KeepReason, PruneRequest } from './outcome.js';
import { openBench, type PruneRun } from './prune-run.js';
import { widthsWithinMemory } from './memory-widths.js';
import { NO_RECOVERY } from './recovery.js';
import { scopeOf } from './score-groups.js';
import { studyGroups } from './sensitivity.js';
import { budgetOf } from './settings.js';
import type { GroupStudy, MemoryObjective, Objective, WidthChoice } from './width-choice.js';

/** A choice of units, as plain data. */
interface PlannedUnits {
  /** By name of the group. */
  readonly removals: readonly (readonly [string, readonly number[]])[];
  readonly reasons: readonly (readonly [string, KeepReason])[];
}

/** Widths that groups may keep. */
export function levelOptions({ recipe, settings }: PruneRequest): LevelOptions {
  const { widths, target } = settings;
  if (widths !== 'auto') return { rule: { kind: 'multiples', of: widths === 'any' ? 1 : Number(widths) } };
  const kernels: KernelTarget = {
    arithmetic: recipe.quantize ? 'int8' : 'float',
    // What suits wide vectors suits narrow ones.
    block: target === 'auto' ? convolutionBlock() : target === 'x64-avx2' ? 8 : 16,
  };
  return { rule: ruleFor(budgetOf(settings) ?? 'latency', kernels) };
}

export class Planner {
  readonly #run: PruneRun;
  readonly #bench: QuantizationBench;
  readonly #start: number;
  readonly #groups: readonly ChannelGroup[];
  readonly #studies = new Map<'measured' | 'ranked', Promise<GroupStudy>>();
  readonly #costs = new Map<CostKind, Promise<WidthCost>>();

  private constructor(run: PruneRun, bench: QuantizationBench) {
    this.#run = run;
    this.#bench = bench;
    this.#start = bench.decoded.model.journal.mark();
    this.#groups = findChannelGroups(bench.decoded.model, benchFacts(bench));
  }

  /** For the model that the run starts from. */
  static async open(run: PruneRun): Promise<Planner> {
    return new Planner(run, await openBench(run, run.start.path));
  }

  /** The groups, and what their scores are. */
  groups(): Promise<readonly GroupStart[]> {
    return this.#run.journal.recall('the groups', async () => {
      const { studied, left } = await this.#study(this.#studies.has('measured') ? 'measured' : 'ranked');
      const scored = studied.map(({ group, scores }) => ({ group, scores, refusal: undefined }));
      const refused = left.map(({ group, refusal }) => ({ group, scores: undefined, refusal }));
      return groupStarts(this.#groups, [...scored, ...refused]);
    });
  }

  /** What leaves for one aim. @throws GateError when it cannot be reached */
  async candidate(objective: Objective, name: string): Promise<Candidate> {
    const planned = await this.#run.journal.recall(`widths for ${name}`, async () => {
      const study = await this.#study(objective.kind === 'ratio' ? 'ranked' : 'measured');
      if (objective.kind === 'memory') return plainChoice(this.#withinMemory(study, objective));
      const costs = objective.kind === 'ratio' ? [] : [await this.#cost(objective.kind, study)];
      return plainChoice(chooseWidths({ study, costs }, objective));
    });
    return this.#candidate(planned, name);
  }

  /** What leaves for ever smaller costs: the least first. */
  async frontier(kind: CostKind, points: number): Promise<readonly Candidate[]> {
    const planned = await this.#run.journal.recall('widths of the search', async () => {
      const study = await this.#study('measured');
      const costs = [await this.#cost(kind, study)];
      return widthFrontier({ study, costs }, kind, { points }).map(plainChoice);
    });
    const some = planned.filter(({ removals }) => removals.length > 0);
    return some.map((one, at) => this.#candidate(one, `candidate ${at + 1} of ${some.length}`));
  }

  #candidate({ removals, reasons }: PlannedUnits, name: string): Candidate {
    return candidateOf(this.#run, { name, reasons: new Map(reasons) }, async () => {
      const { model } = this.#bench.decoded;
      model.journal.seek(this.#start);
      model.names.forgetIssued();
      try {
        return [await makePruned(this.#run, this.#bench, this.#named(removals), allChannels())];
      } finally {
        model.journal.seek(this.#start);
      }
    });
  }

  #named(removals: PlannedUnits['removals']): Removals {
    const groups = new Map(this.#groups.map((group) => [group.name, group]));
    return new Map(
      removals.flatMap(([name, units]) => {
        const group = groups.get(name);
        return group ? [[group, units] as const] : [];
      }),
    );
  }

  /** `ranked`: scores and the order in which units leave. `measured`: what that does to the outputs, too. */
  #study(depth: 'measured' | 'ranked'): Promise<GroupStudy> {
    const { request, score, samples } = this.#run;
    const { seed } = request;
    const levels = levelOptions(request);
    const found =
      this.#studies.get(depth) ??
      studyGroups(this.#bench, this.#groups, {
        score,
        seed,
        // A share can be met as nearly as widths allow; only what is measured has to be few.
        levels: depth === 'ranked' ? { ...levels, most: Infinity } : { ...levels, branches: 'may-go' },
        data: depth === 'measured' && !samples.dataFree ? 'given' : 'none',
        repair: this.#run.recovery === NO_RECOVERY ? 'off' : 'on',
      });
    this.#studies.set(depth, found);
    return found;
  }

  #withinMemory(study: GroupStudy, objective: MemoryObjective): WidthChoice {
    const forms = memoryForms(this.#bench.decoded.model, benchFacts(this.#bench), this.#groups);
    return widthsWithinMemory({ study, costs: [] }, forms, objective);
  }

  #cost(kind: CostKind, study: GroupStudy): Promise<WidthCost> {
    const found = this.#costs.get(kind) ?? this.#findCost(kind, study);
    this.#costs.set(kind, found);
    return found;
  }

  async #findCost(kind: CostKind, { studied }: GroupStudy): Promise<WidthCost> {
    const { samples, request } = this.#run;
    const { model } = this.#bench.decoded;
    if (kind !== 'latency') return countedCost(model, benchFacts(this.#bench), this.#groups, kind);
    request.onStage?.('timing layers by width');
    const levels = new Map(studied.map(({ group, curve }) => [group, curve.kept]));
    const { threads, seed, latencyTable } = request;
    const options = { levels, feeds: samples.first, threads, seed, latencyTable };
    return (await latencyCost(this.#bench, this.#groups, options)).cost;
  }

  /** What units are compared over. */
  get scope(): ReturnType<typeof scopeOf> {
    return scopeOf(this.#run.request.settings, SCORES[this.#run.score]);
  }
}

function plainChoice({ removals, groups }: WidthChoice): PlannedUnits {
  return {
    removals: [...removals].map(([{ name }, units]) => [name, units] as const),
    reasons: groups.flatMap(({ group, why, refusal }) =>
      why === undefined || why === 'frozen'
        ? []
        : [[group.name, why === 'no-score' ? (refusal ?? 'worth') : why] as const],
    ),
  };
}
