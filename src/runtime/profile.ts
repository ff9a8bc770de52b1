// Time per node from ONNX Runtime's own profile, and the optimized graph that really ran.
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CallOptions, RuntimeHost, RuntimeLink } from './host.js';
import type { ModelSource } from './model-source.js';
import type { OptimizationLevel, SessionOptions } from './protocol.js';
import { median } from './statistics.js';
import { toWire, type TensorMap } from './wire-tensor.js';

export interface NodeTime {
  /** Name in the optimized graph; `OpType_index` for a node without a name. */
  readonly name: string;
  /** What ran: `Conv`, `FusedConv`, `ReorderInput`, ... */
  readonly opType: string;
  /** Microseconds per model run, without nodes of subgraphs inside this one: median over the runs. */
  readonly us: number;
  /** Times that it ran per model run (bodies of loops run more often, branches not taken never). */
  readonly calls: number;
}

export interface ProfileTimes {
  readonly runs: number;
  /** Median time of a whole run, microseconds. */
  readonly totalUs: number;
  /** In the order in which they first finished. */
  readonly nodes: readonly NodeTime[];
}

export interface Profile extends ProfileTimes {
  readonly threads: number;
  readonly optimization: OptimizationLevel;
  /** The graph that ran, as an ONNX model; it is tied to this processor and must not be shipped. */
  readonly optimizedModel: Uint8Array | undefined;
}

export interface ProfileOptions extends CallOptions {
  readonly threads?: number;
  readonly optimization?: OptimizationLevel;
  /** Milliseconds of profiled runs; default 1500. */
  readonly budget?: number;
  /** `none` leaves the optimized graph out, as for models near 2 GB, which the runtime cannot write. */
  readonly optimizedGraph?: 'dump' | 'none';
}

const BUDGET = 1500;
const WARM_UPS = 3;
const MIN_RUNS = 5;
const MAX_RUNS = 51;

/**
 * Profiles `model` on `feeds`.
 * @throws what `RuntimeHost.run` throws
 */
export function profileModel(
  host: RuntimeHost,
  model: ModelSource,
  feeds: TensorMap,
  options: ProfileOptions = {},
): Promise<Profile> {
  const { threads = 1, optimization = 'all', budget = BUDGET, optimizedGraph = 'dump' } = options;
  return host.exclusive(async (link) => {
    const name = randomUUID();
    const dump = join(link.folder(), `${name}-optimized.onnx`);
    const session: SessionOptions = {
      threads,
      optimization,
      profilePrefix: join(link.folder(), name),
      ...(optimizedGraph === 'dump' ? { optimizedModelPath: dump } : {}),
    };
    try {
      await runProfiled(link, model, { feeds, session, budget });
      const file = (await readdir(link.folder())).find((entry) => entry.startsWith(name) && entry.endsWith('.json'));
      const optimizedModel = optimizedGraph === 'dump' ? new Uint8Array(await readFile(dump)) : undefined;
      // Lines that come before the loop over them begins would be lost: nothing may be awaited in between.
      const lines = file === undefined ? [] : createInterface({ input: createReadStream(join(link.folder(), file)) });
      return { threads, optimization, ...(await readProfile(lines, WARM_UPS)), optimizedModel };
    } finally {
      for (const entry of await readdir(link.folder())) {
        if (entry.startsWith(name)) await rm(join(link.folder(), entry), { force: true });
      }
    }
  }, options);
}

interface ProfiledRun {
  readonly feeds: TensorMap;
  readonly session: SessionOptions;
  readonly budget: number;
}

async function runProfiled(
  link: RuntimeLink,
  model: ModelSource,
  { feeds, session, budget }: ProfiledRun,
): Promise<void> {
  const opened = await link.open(model, session);
  await link.ask('bind', { session: opened.session, feeds: toWire(feeds) }, model);
  const time = (rounds: number) => link.ask('time', { sessions: [opened.session], rounds, batch: 1, first: 0 }, model);
  const [warm] = await time(WARM_UPS);
  const each = median(warm?.wall ?? [1]);
  await time(Math.max(MIN_RUNS, Math.min(MAX_RUNS, Math.floor(budget / each))));
  await link.ask('endProfile', { session: opened.session }, model);
  await link.close(opened);
}

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}
interface Totals {
  readonly name: string;
  readonly opType: string;
  /** Microseconds and calls, per run. */
  readonly us: number[];
  readonly calls: number[];
}

/**
 * Times from the lines of a profile, one event a line; the first `skipped` runs are left out. An event is written when it
 * ends, so a node of a subgraph comes before the node that holds it, and a run after its nodes.
 */
export async function readProfile(
  lines: AsyncIterable<string> | Iterable<string>,
  skipped: number,
): Promise<ProfileTimes> {
  const totals = new Map<string, Totals>();
  const runTimes: number[] = [];
  let finished: ProfileEvent[] = [];
  for await (const line of lines) {
    const event = parseEvent(line);
    if (!event) continue;
    if (event.cat === 'Node' && event.name.endsWith(KERNEL)) {
      let nested = 0;
      for (let inner = finished.at(-1); inner && inner.ts >= event.ts; inner = finished.at(-1)) {
        nested += inner.dur;
        finished.pop();
      }
      finished.push(event);
      add(totals, event, { run: runTimes.length, us: Math.max(0, event.dur - nested) });
    } else if (event.name === 'model_run') {
      runTimes.push(event.dur);
      finished = [];
    }
  }
  const runs = Math.max(0, runTimes.length - skipped);
  const perRun = (values: readonly number[]): number =>
    median(Array.from({ length: runs }, (_, i) => values[skipped + i] ?? 0));
  const nodes =
    runs === 0
      ? []
      : [...totals.values()].map(({ name, opType, us, calls }) => ({
          name,
          opType,
          us: perRun(us),
          calls: perRun(calls),
        }));
  return { runs, totalUs: runs === 0 ? 0 : median(runTimes.slice(skipped)), nodes };
}

const KERNEL = '_kernel_time';

function parseEvent(line: string): ProfileEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  return JSON.parse(line.endsWith(',') ? line.slice(0, -1) : line) as ProfileEvent;
}

function add(totals: Map<string, Totals>, event: ProfileEvent, { run, us }: { run: number; us: number }): void {
  const name = event.name.slice(0, -KERNEL.length);
  const opType = event.args?.op_name ?? '';
  const key = `${name}\0${opType}`;
  const found = totals.get(key) ?? { name, opType, us: [], calls: [] };
  found.us[run] = (found.us[run] ?? 0) + us;
  found.calls[run] = (found.calls[run] ?? 0) + 1;
  totals.set(key, found);
}
