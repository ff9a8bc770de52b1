// The search: 8-bit integers alone, which are the one to beat; then, for ever higher limits on the loss, the kind of change that saves most
// time for what it loses, measured anew on top of what was taken before, with integers behind it in mind; then integers on the models along
// the way.
import { keepBest } from '../best-so-far.js';
import { openModel } from '../../onnx/open.js';
import type { CombineRun } from './combine-run.js';
import type { ExploredModel, IdleChange, IdleReason, Stage } from './outcome.js';
import { runStage } from './run-stage.js';
import { CHANGE_KINDS, hasTarget, kindsOf, type ChangeKind } from './settings.js';
import { isWithin, limitSteps, targetShare } from './targets.js';
import { measureVariant, type Variant } from './variant.js';

/** All that was found. */
export interface CombineFound {
  /** In the order in which they were made; the first is the slimmed model. */
  readonly variants: readonly Variant[];
  readonly idle: readonly IdleChange[];
  readonly explored: readonly ExploredModel[];
  /** Names of the runs within, each with a journal of its own. */
  readonly runs: ReadonlySet<string>;
  /** 8-bit integers on the slimmed model; undefined where nothing came of them. */
  readonly int8Alone: Variant | undefined;
}

/** What a search does with models; replaced in tests. */
export interface SearchPorts {
  readonly change: typeof runStage;
  readonly measure: typeof measureVariant;
}

/** Looks for models as the settings ask, as long as there is time. @throws InterruptError, and what measuring throws */
export async function searchChanges(
  run: CombineRun,
  ports: SearchPorts = { change: runStage, measure: measureVariant },
): Promise<CombineFound> {
  return new Search(run, ports).find();
}

/** A change pays from this part of the time on; below that, timings cannot tell. */
const CLEAR = 0.99;
/** Losses below this part of the limit count as that: a change is not free because the samples do not show what it costs. */
const LEAST_LOSS = 0.05;
/** Rounds at the last limit, which go on as long as something is gained. */
const MOST_ROUNDS = 4;
/** Models along the way that integers are tried on. */
const MOST_QUANTIZED = 3;
/** Of what integers took on the slimmed model, what is kept for those on the models along the way. */
const QUANTIZED_AT_END = 1.5;
/** Of the time that is left, what a run may take before it settles for what it has found. */
const RUN_SHARE = 0.5;
/** In which order kinds are tried that nothing is known of: those first that take least. */
const FLOAT_KINDS = ['prune', 'deepen', 'factorize'] as const satisfies readonly ChangeKind[];

/**
 * Where the time of a run within comes from. `assured`: integers are tried on the slimmed model and on the last one along the way whatever the
 * time is. `rest`: all that is left. `spare`: that without what integers took at first, which is kept for them at the end.
 */
type TimeFrom = 'assured' | 'rest' | 'spare';

/** The state of one search. */
class Search {
  readonly #run: CombineRun;
  readonly #ports: SearchPorts;
  readonly #variants: Variant[] = [];
  readonly #idle: IdleChange[] = [];
  readonly #explored: ExploredModel[] = [];
  readonly #runs = new Set<string>();
  /** Part of the time that a kind saved per loss when it was last tried; those never tried come first. */
  readonly #gains = new Map<ChangeKind, number>();
  /** Integers on the slimmed model. */
  #int8Alone: Variant | undefined;
  /** Models that integers were tried on. */
  readonly #quantized = new Set<Variant>();
  /** Time on integers for each part of the time in float, by the kind that came last when it was measured: 1 where integers did not pay. */
  readonly #onIntegers = new Map<ChangeKind, number>();
  /** Milliseconds that the longest run of a kind took. */
  readonly #durations = new Map<ChangeKind, number>();

  constructor(run: CombineRun, ports: SearchPorts) {
    this.#run = run;
    this.#ports = ports;
  }

  async find(): Promise<CombineFound> {
    const run = this.#run;
    const start = await this.#start();
    const asked = kindsOf(run.request.settings);
    if (asked.includes('int8')) this.#int8Alone = await this.#quantize(start, 'assured');
    const int8Alone = this.#int8Alone;
    for (const kind of CHANGE_KINDS.filter((one) => !asked.includes(one)))
      this.#idle.push({ kind, on: start.step.name, reason: 'not-asked', message: undefined });
    const path = await this.#climb(start);
    if (int8Alone && !this.#isReached()) {
      for (const [at, variant] of spread(path.slice(1), MOST_QUANTIZED).entries())
        if (!this.#quantized.has(variant)) await this.#quantize(variant, at === 0 ? 'assured' : 'rest');
    }
    return { variants: this.#variants, idle: this.#idle, explored: this.#explored, runs: this.#runs, int8Alone };
  }

  /** The slimmed model. */
  async #start(): Promise<Variant> {
    const { slimmed, base } = this.#run;
    const about = { name: 'slim', kind: 'slim', on: undefined, what: 'the exact passes alone', seconds: 0 } as const;
    return this.#add(await this.#ports.measure(this.#run, { about, raw: base, path: slimmed.path, stages: [] }));
  }

  async #add(variant: Variant): Promise<Variant> {
    const before = this.#variants.filter(({ step }) => isWithin(this.#run, step.loss));
    const isBest = before.every(({ step }) => variant.step.latencyRatio < step.latencyRatio);
    this.#variants.push(variant);
    const { request } = this.#run;
    if (isBest && isWithin(this.#run, variant.step.loss) && variant.step.kind !== 'slim')
      await keepBest(request, () => openModel(variant.path, request));
    return variant;
  }

  /** `prune + int8, 0.41x`. */
  #bestText(): string {
    const within = this.#variants.filter(({ step }) => isWithin(this.#run, step.loss));
    const best = within.toSorted((a, b) => a.step.latencyRatio - b.step.latencyRatio)[0];
    return best ? `${best.step.name}, ${best.step.latencyRatio.toFixed(2)}x` : 'the original';
  }

  /** Whether a target was given, and a model within the loss meets it. */
  #isReached(): boolean {
    if (!hasTarget(this.#run.request.settings)) return false;
    return this.#variants.some((one) => isWithin(this.#run, one.step.loss) && targetShare(this.#run, one) <= 1);
  }

  /** The models along the way, each made of the one before: the first is `start`. */
  async #climb(start: Variant): Promise<readonly Variant[]> {
    const path = [start];
    const int8Alone = this.#int8Alone;
    const kept = int8Alone ? int8Alone.step.loss.value - start.step.loss.value : 0;
    const limits = limitSteps(this.#run, start.step.loss, kept);
    for (const [at, limit] of limits.entries()) {
      const isLast = at === limits.length - 1;
      if (this.#isReached() || (!isLast && this.#isShort())) continue;
      for (let round = 0; round < (isLast ? MOST_ROUNDS : 1); round++) {
        const next = await this.#best(path.at(-1) ?? start, limit);
        if (!next) break;
        path.push(next);
        if (this.#isReached()) break;
      }
    }
    return path;
  }

  /** Whether there is no time for small steps: what is left goes to the last limit. */
  #isShort(): boolean {
    const longest = Math.max(0, ...this.#durations.values());
    return 4 * longest > this.#timeLeft('spare');
  }

  /**
   * The change of `on` that saves most time per loss within the limit. A kind saved more the last time than it will on top of others,
   * as a rule: where what was just measured beats what the rest saved then, the rest is not run (lazy greedy; Minoux 1978). Where nothing
   * saves time with integers in mind, the one that does in float.
   */
  async #best(on: Variant, limit: number): Promise<Variant | undefined> {
    let best: { readonly variant: Variant; readonly gain: number } | undefined;
    let inFloat: typeof best;
    const least = LEAST_LOSS * limit;
    const gainOf = (kind: ChangeKind): number => this.#gains.get(kind) ?? Infinity;
    const open = this.#floatKinds().toSorted((a, b) => gainOf(b) - gainOf(a));
    for (const kind of open) {
      if (best && best.gain >= gainOf(kind)) continue;
      const variant = await this.#try(kind, on, limit);
      const times = variant && { before: this.#timeOf(on), after: await this.#timeBehind(kind, variant) };
      const gain = variant && times ? savedPerLoss({ on, variant, least }, times) : 0;
      if (variant || this.#idle.at(-1)?.reason !== 'no-time') this.#gains.set(kind, Math.max(0, gain));
      if (!variant) continue;
      const plain = savedPerLoss(
        { on, variant, least },
        { before: on.step.latencyRatio, after: variant.step.latencyRatio },
      );
      if (gain > 0 && (!best || gain > best.gain)) best = { variant, gain };
      if (!inFloat || plain > inFloat.gain) inFloat = { variant, gain: plain };
    }
    return (best ?? inFloat)?.variant;
  }

  /** The time of a model with integers behind it, where that is less, after it was changed by `kind`: measured once for each kind. */
  async #timeBehind(kind: ChangeKind, variant: Variant): Promise<number> {
    if (this.#int8Alone && !this.#onIntegers.has(kind) && this.#countsTime()) {
      const whole = await this.#quantize(variant, 'spare');
      if (whole || this.#idle.at(-1)?.reason !== 'no-time')
        this.#onIntegers.set(kind, whole ? whole.step.latencyRatio / variant.step.latencyRatio : 1);
    }
    return this.#timeOf(variant);
  }

  /** As known, or as integers behind the last kind of change were when they were measured. */
  #timeOf({ step: { kind, latencyRatio } }: Variant): number {
    const alone = this.#int8Alone && this.#countsTime() ? this.#int8Alone.step.latencyRatio : 1;
    if (kind === 'slim') return Math.min(latencyRatio, alone);
    return latencyRatio * ((kind !== 'int8' && this.#onIntegers.get(kind)) || 1);
  }

  /** Whether time is what has to get smaller. */
  #countsTime(): boolean {
    const { settings } = this.#run.request;
    return !hasTarget(settings) || settings.latency !== undefined;
  }

  #quantize(on: Variant, time: TimeFrom): Promise<Variant | undefined> {
    return this.#try('int8', on, this.#run.request.settings.maxDrop, time);
  }

  /** A change of one kind, where it is found and pays. @param limit of the loss */
  async #try(
    kind: ChangeKind,
    on: Variant,
    limit: number | undefined,
    time: TimeFrom = 'spare',
  ): Promise<Variant | undefined> {
    const run = this.#run;
    const idle = (reason: IdleReason, message?: string): undefined => {
      this.#idle.push({ kind, on: on.step.name, reason, message });
    };
    const left = this.#timeLeft(time);
    if (left <= 0) return idle('no-time');
    if (kind === 'int8') this.#quantized.add(on);
    const name = this.#nameOf(kind, on);
    this.#runs.add(name);
    const from = performance.now();
    const order = { name, limit, best: this.#bestText(), until: from + this.#share(kind) * left };
    const { made, reason, message, explored } = await this.#ports.change(run, { kind, on }, order);
    const elapsedMs = performance.now() - from;
    this.#durations.set(kind, Math.max(elapsedMs, this.#durations.get(kind) ?? 0));
    this.#explored.push(...explored);
    if (!made) return idle(reason, message);
    const { run: stageRun, what, raw, path } = made;
    const stage: Stage = { name, run: stageRun, elapsedMs };
    const about = { name, kind, on: on.step.name, what, seconds: elapsedMs / 1000 };
    const variant = await this.#ports.measure(run, { about, raw, path, stages: [...on.stages, stage] });
    await this.#add(variant);
    if (!isWithin(run, variant.step.loss)) return idle('lossy');
    return this.#pays(on, variant) ? variant : idle('no-gain');
  }

  /** Milliseconds for looking. */
  #timeLeft(from: TimeFrom): number {
    const left = this.#run.time.to - performance.now();
    if (from === 'assured') return Math.max(1, left);
    return from === 'rest' ? left : left - QUANTIZED_AT_END * (this.#durations.get('int8') ?? 0);
  }

  #floatKinds(): readonly ChangeKind[] {
    const asked = kindsOf(this.#run.request.settings);
    return FLOAT_KINDS.filter((kind) => asked.includes(kind));
  }

  /** Kinds that were not tried yet get their part of the time, too. */
  #share(kind: ChangeKind): number {
    const others = this.#floatKinds().filter((one) => one !== kind && !this.#durations.has(one));
    return RUN_SHARE / (1 + others.length);
  }

  /** Whether a change makes smaller what has to get smaller. */
  #pays(on: Variant, variant: Variant): boolean {
    if (!this.#countsTime()) return targetShare(this.#run, variant) < targetShare(this.#run, on);
    return variant.step.latencyRatio < CLEAR * on.step.latencyRatio;
  }

  /** `deepen + prune`, with a number where there is one of this name. */
  #nameOf(kind: ChangeKind, { step }: Variant): string {
    const plain = step.kind === 'slim' ? kind : `${step.name} + ${kind}`;
    const taken = this.#variants.filter(({ step: { name } }) => name === plain || name.startsWith(`${plain} (`)).length;
    return taken === 0 ? plain : `${plain} (${taken + 1})`;
  }
}

/** At most `count` of them, evenly spread, the last first. */
function spread<T>(all: readonly T[], count: number): readonly T[] {
  const gaps = Math.max(1, Math.min(count, all.length) - 1);
  const places = Array.from({ length: gaps + 1 }, (_, at) => Math.round(((all.length - 1) * (gaps - at)) / gaps));
  return [...new Set(places)].flatMap((place) => all[place] ?? []);
}

interface Change {
  readonly on: Variant;
  readonly variant: Variant;
  /** What it is taken to lose at least. */
  readonly least: number;
}

/** Part of the time that is saved per loss that is added. */
function savedPerLoss(
  { on, variant, least }: Change,
  times: { readonly before: number; readonly after: number },
): number {
  return (1 - times.after / times.before) / Math.max(least, variant.step.loss.value - on.step.loss.value);
}
