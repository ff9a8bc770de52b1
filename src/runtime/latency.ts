// How long models take, and whether one is faster than another. Two models run in turn in one child process, so that
// what else the machine does hits both; sessions are created anew for every block of rounds, in alternating order,
// since the place of a session's memory alone makes differences of a per cent.
import type { RuntimeHost, CallOptions, OpenedModel, RuntimeLink } from './host.js';
import type { ModelSource } from './model-source.js';
import type { OptimizationLevel, SampleTimes, SessionOptions } from './protocol.js';
import {
  blockedInterval,
  halfWidth,
  median,
  percentiles,
  ratioVerdict,
  type Block,
  type Interval,
  type Percentiles,
  type RatioVerdict,
} from './statistics.js';
import { toWire, type TensorMap } from './wire-tensor.js';

export interface TimingOptions extends CallOptions {
  /** Threads inside one operator; default 1. */
  readonly threads?: number;
  /** Default `all`, as applications run. */
  readonly optimization?: OptimizationLevel;
  /** Milliseconds after which no further block begins; default 12 000. */
  readonly budget?: number;
  /** Measuring ends when the interval's half width, relative to the estimate, is below this; default 0.015. */
  readonly precision?: number;
  /** Differences up to this are none; default 0.01. */
  readonly margin?: number;
  /** Of the bootstrap; default 0. */
  readonly seed?: number | string;
  /** Told after every block: how many there are, and the interval's half width so far. */
  readonly onProgress?: (blocks: number, halfWidth: number) => void;
}

export interface TimeSummary {
  /** Milliseconds per run by the clock. */
  readonly wall: Percentiles;
  /** Milliseconds per run of processor time. */
  readonly cpu: Percentiles;
}

export interface Measured {
  readonly threads: number;
  /** Rounds (one sample of each model) and fresh pairs of sessions they come from. */
  readonly rounds: number;
  readonly blocks: number;
  /** Runs per sample; a sample of several runs counts with their mean. */
  readonly batch: number;
  /** Whether the precision asked for was reached. */
  readonly settled: boolean;
  /** Processor time over clock time at one thread: under 0.9 other programs took the processor away. */
  readonly cpuShare: number;
  readonly contended: boolean;
}

export interface ModelTiming extends Measured, TimeSummary {
  /** Median wall time with its 95 % interval, milliseconds. */
  readonly interval: Interval;
}

export interface TimingComparison extends Measured {
  readonly before: TimeSummary;
  readonly after: TimeSummary;
  /** Ratios after/before: median over rounds of the ratio within a round, with the 95 % interval. */
  readonly wall: Interval;
  readonly cpu: Interval;
  /** The clock whose ratio decides: the narrower at one thread, else `wall`. */
  readonly decidedBy: 'wall' | 'cpu';
  readonly verdict: RatioVerdict;
}

export const TIMING_DEFAULTS = {
  threads: 1,
  optimization: 'all',
  budget: 12_000,
  precision: 0.015,
  margin: 0.01,
  seed: 0,
} as const;

const MIN_BLOCKS = 4;
const MIN_ROUNDS = 5;
const MAX_ROUNDS = 3000;
const WARM_UPS = 8;
/** Milliseconds: rounds of one block, of the warm-up, of one message to the child, and of one sample at least. */
const SLICE = 400;
const WARM_UP_LIMIT = 300;
const CHUNK = 150;
const SAMPLE = 0.5;

/** Times of the rounds of one block, per model; `stratum` tells in which order the sessions were created. */
export interface TimedBlock {
  readonly stratum: string;
  readonly models: readonly SampleTimes[];
}

/**
 * Times `after` against `before` on the same feeds.
 * @throws what `RuntimeHost.run` throws
 */
export async function compareLatency(
  host: RuntimeHost,
  before: ModelSource,
  after: ModelSource,
  feeds: TensorMap,
  options: TimingOptions = {},
): Promise<TimingComparison> {
  const precisionOf = (taken: readonly TimedBlock[]): number => halfWidth(deciding(taken, options).interval);
  const { blocks, batch } = await collect(host, [before, after], feeds, { options, precisionOf });
  return summarize(blocks, batch, options);
}

/** Times one model. @throws what `RuntimeHost.run` throws */
export async function timeModel(
  host: RuntimeHost,
  model: ModelSource,
  feeds: TensorMap,
  options: TimingOptions = {},
): Promise<ModelTiming> {
  const interval = (blocks: readonly TimedBlock[]): Interval =>
    blockedInterval(
      blocks.map(({ stratum, models }) => ({ stratum, values: models[0]?.wall ?? [] })),
      options.seed ?? TIMING_DEFAULTS.seed,
    );
  const { blocks, batch } = await collect(host, [model], feeds, {
    options,
    precisionOf: (taken) => halfWidth(interval(taken)),
  });
  const found = interval(blocks);
  return { ...measured(blocks, batch, halfWidth(found), options), ...timeSummary(blocks, 0), interval: found };
}

/** The comparison that blocks of rounds amount to. */
export function summarize(blocks: readonly TimedBlock[], batch: number, options: TimingOptions): TimingComparison {
  const { wall, cpu, decidedBy, interval } = deciding(blocks, options);
  const contradiction = decidedBy === 'cpu' && opposed(wall, cpu);
  return {
    ...measured(blocks, batch, halfWidth(interval), options),
    before: timeSummary(blocks, 0),
    after: timeSummary(blocks, 1),
    wall,
    cpu,
    decidedBy,
    verdict: contradiction ? 'no-difference' : ratioVerdict(interval, options.margin ?? TIMING_DEFAULTS.margin),
  };
}

/** Both intervals leave 1 out, on different sides. */
function opposed(a: Interval, b: Interval): boolean {
  return (a.high < 1 && b.low > 1) || (a.low > 1 && b.high < 1);
}

interface Deciding {
  readonly wall: Interval;
  readonly cpu: Interval;
  readonly decidedBy: 'wall' | 'cpu';
  readonly interval: Interval;
}

function deciding(blocks: readonly TimedBlock[], options: TimingOptions): Deciding {
  const ratios = (clock: 'wall' | 'cpu'): Interval =>
    blockedInterval(
      blocks.map(({ stratum, models }): Block => {
        const base = models[0]?.[clock] ?? [];
        // A clock that did not move says nothing.
        const values = (models[1]?.[clock] ?? [])
          .map((time, i) => time / (base[i] ?? Number.NaN))
          .filter((ratio) => ratio > 0 && ratio < Infinity);
        return { stratum, values };
      }),
      options.seed ?? TIMING_DEFAULTS.seed,
    );
  const wall = ratios('wall');
  const cpu = ratios('cpu');
  const oneThread = (options.threads ?? TIMING_DEFAULTS.threads) === 1;
  const decidedBy = oneThread && halfWidth(cpu) < halfWidth(wall) ? 'cpu' : 'wall';
  return { wall, cpu, decidedBy, interval: decidedBy === 'cpu' ? cpu : wall };
}

function timeSummary(blocks: readonly TimedBlock[], which: number): TimeSummary {
  const all = (clock: 'wall' | 'cpu'): Percentiles =>
    percentiles(blocks.flatMap(({ models }) => [...(models[which]?.[clock] ?? [])]));
  return { wall: all('wall'), cpu: all('cpu') };
}

function measured(blocks: readonly TimedBlock[], batch: number, width: number, options: TimingOptions): Measured {
  const threads = options.threads ?? TIMING_DEFAULTS.threads;
  const total = (clock: 'wall' | 'cpu'): number =>
    blocks.flatMap(({ models }) => models.flatMap((times) => times[clock])).reduce((sum, time) => sum + time, 0);
  const cpuShare = total('cpu') / total('wall');
  return {
    threads,
    rounds: blocks.reduce((sum, { models }) => sum + (models[0]?.wall.length ?? 0), 0),
    blocks: blocks.length,
    batch,
    settled: width <= (options.precision ?? TIMING_DEFAULTS.precision),
    cpuShare,
    contended: threads === 1 && cpuShare < 0.9,
  };
}

interface CollectOptions {
  readonly options: TimingOptions;
  readonly precisionOf: (blocks: readonly TimedBlock[]) => number;
}

interface Collected {
  readonly blocks: TimedBlock[];
  readonly batch: number;
}

/** Blocks of rounds until the precision, the time or the number of rounds is reached. */
function collect(
  host: RuntimeHost,
  models: readonly ModelSource[],
  feeds: TensorMap,
  { options, precisionOf }: CollectOptions,
): Promise<Collected> {
  const settings = { ...TIMING_DEFAULTS, ...options };
  return host.exclusive(async (link) => {
    await link.closeAll();
    const end = performance.now() + settings.budget;
    const blocks: TimedBlock[] = [];
    let batch = 0;
    let rounds = 0;
    for (let done = false; !done;) {
      const order = blocks.length % 2 === 0 ? 'forwards' : 'backwards';
      const session: SessionOptions = { optimization: settings.optimization, threads: settings.threads };
      const { times, batch: used } = await timeBlock(link, models, { session, feeds, order, batch });
      batch = used;
      rounds += times[0]?.wall.length ?? 0;
      blocks.push({ stratum: order, models: times });
      // Both orders of creation must have had the same number of blocks.
      if (blocks.length % 2 === 1 && models.length > 1) continue;
      const width = precisionOf(blocks);
      options.onProgress?.(blocks.length, width);
      done =
        (blocks.length >= MIN_BLOCKS && width <= settings.precision) ||
        rounds >= MAX_ROUNDS ||
        performance.now() >= end;
    }
    return { blocks, batch };
  }, options);
}

interface BlockPlan {
  readonly session: SessionOptions;
  readonly feeds: TensorMap;
  /** In which order the sessions are created. */
  readonly order: 'forwards' | 'backwards';
  /** Runs per sample; 0 for not known yet. */
  readonly batch: number;
}

/** New sessions, warmed up, then rounds for `SLICE` milliseconds. */
async function timeBlock(
  link: RuntimeLink,
  models: readonly ModelSource[],
  plan: BlockPlan,
): Promise<{ times: SampleTimes[]; batch: number }> {
  const opened = new Map<number, OpenedModel>();
  const wire = toWire(plan.feeds);
  const numbered = [...models.entries()];
  for (const [which, model] of plan.order === 'forwards' ? numbered : numbered.toReversed()) {
    const open = await link.open(model, plan.session, `timed ${which}`);
    await link.ask('bind', { session: open.session, feeds: wire }, model);
    opened.set(which, open);
  }
  const sessions = models.flatMap((_model, which) => opened.get(which)?.session ?? []);
  const [named = ''] = models;
  let first = 0;
  const time = async (rounds: number, batch: number): Promise<readonly SampleTimes[]> => {
    const times = await link.ask('time', { sessions, rounds, batch, first }, named);
    first += rounds;
    return times;
  };
  const cold = await time(1, 1);
  const roundTime = (times: readonly SampleTimes[], batch: number): number =>
    batch * times.reduce((sum, { wall }) => sum + median(wall), 0);
  const warm = await time(Math.max(1, Math.min(WARM_UPS, Math.floor(WARM_UP_LIMIT / roundTime(cold, 1)))), 1);
  const batch = plan.batch || Math.max(1, ...warm.map(({ wall }) => Math.ceil(SAMPLE / median(wall))));
  const chunk = Math.max(1, Math.min(200, Math.floor(CHUNK / roundTime(warm, batch))));
  const times = models.map(() => ({ wall: [] as number[], cpu: [] as number[] }));
  const end = performance.now() + SLICE;
  while (performance.now() < end || (times[0]?.wall.length ?? 0) < MIN_ROUNDS) {
    (await time(chunk, batch)).forEach((sample, which) => {
      times[which]?.wall.push(...sample.wall);
      times[which]?.cpu.push(...sample.cpu);
    });
  }
  for (const open of opened.values()) await link.close(open);
  return { times, batch };
}
