// Entry of the child process that runs ONNX Runtime. A run blocks its thread, and a busy worker thread cannot be ended
// without aborting the process, so the parent keeps the runtime here and ends it by a signal.
import { readFileSync } from 'node:fs';
import { AccumulatorDefect, AccumulatorHost } from './accumulator-host.js';
import type {
  Ask,
  FailureStage,
  ProcessMemory,
  Reply,
  ReplyTo,
  Request,
  RequestKind,
  SampleTimes,
  SessionOptions,
  WireModel,
} from './protocol.js';
import { Observer } from './worker-observer.js';
import {
  nativeFeeds,
  openSession,
  runSession,
  UnsupportedError,
  type NativeFeeds,
  type WorkerSession,
} from './worker-session.js';

/** What lives from one request to the next. */
interface Kept {
  readonly sessions: Map<string, WorkerSession>;
  /** Tensors kept by `hold`. */
  readonly held: Map<string, NativeFeeds[string]>;
  readonly observers: Map<string, Observer>;
  readonly accumulators: AccumulatorHost;
}

type Handlers = { readonly [K in RequestKind]: (body: Ask<K>, kept: Kept) => Promise<ReplyTo<K>> | ReplyTo<K> };

const HANDLERS: Handlers = {
  open: async ({ session, model, options }, { sessions }) => {
    const opened = await openSession(model, options);
    sessions.set(session, opened);
    return opened.signature;
  },
  close: async ({ session }, { sessions }) => {
    const target = sessions.get(session);
    sessions.delete(session);
    await target?.session.release();
    return undefined;
  },
  run: ({ session, feeds, outputs, held = {} }, kept) => {
    const native = nativeFeeds(feeds);
    for (const [input, name] of Object.entries(held)) native[input] = findHeld(kept.held, name);
    return runSession(find(kept.sessions, session), native, outputs);
  },
  hold: ({ tensors }, { held }) => {
    for (const [name, tensor] of Object.entries(nativeFeeds(tensors))) held.set(name, tensor);
    return undefined;
  },
  drop: ({ names }, { held }) => {
    for (const name of names) held.delete(name);
    return undefined;
  },
  bind: ({ session, feeds }, { sessions }) => {
    find(sessions, session).bound = nativeFeeds(feeds);
    return undefined;
  },
  time: ({ sessions: names, rounds, batch, first }, { sessions }) => {
    const targets = names.map((name) => find(sessions, name));
    return interleave(targets.length, { rounds, first }, async (which) => {
      const target = targets[which];
      if (!target) return { wall: 0, cpu: 0 };
      const start = startClocks();
      for (let i = 0; i < batch; i++) await target.session.run(target.bound);
      const { wall, cpu } = start();
      return { wall: wall / batch, cpu: cpu / batch };
    });
  },
  load: ({ models, options, rounds, first }) =>
    interleave(models.length, { rounds, first }, (which) => loadOnce(models[which], options[which])),
  startObserver: async ({ observer, sessions: names, specs }, { sessions, observers, accumulators }) => {
    const observed = names.map(({ session, prefix }) => ({ target: find(sessions, session), prefix }));
    const started = new Observer(observed, specs, accumulators);
    await started.idle();
    observers.set(observer, started);
    return undefined;
  },
  observe: async ({ observer, feeds }, { observers }) => {
    await findObserver(observers, observer).add(feeds);
    return undefined;
  },
  endObserver: ({ observer }, { observers }) => {
    const ended = findObserver(observers, observer);
    observers.delete(observer);
    return ended.end();
  },
  endProfile: ({ session }, { sessions }) => {
    find(sessions, session).session.endProfiling();
    return undefined;
  },
  memory: () => processMemory(),
};

function find(sessions: Map<string, WorkerSession>, name: string): WorkerSession {
  const target = sessions.get(name);
  if (!target) throw new Error(`no session "${name}"`);
  return target;
}

function findHeld(held: Kept['held'], name: string): NativeFeeds[string] {
  const tensor = held.get(name);
  if (!tensor) throw new Error(`no tensor "${name}"`);
  return tensor;
}

function findObserver(observers: Map<string, Observer>, name: string): Observer {
  const observer = observers.get(name);
  if (!observer) throw new Error(`no observer "${name}"`);
  return observer;
}

interface Times {
  readonly wall: number;
  readonly cpu: number;
}

/** Starts both clocks; the returned function reads them, in milliseconds. CPU time is that of the whole process. */
function startClocks(): () => Times {
  const cpu = process.cpuUsage();
  const wall = performance.now();
  return () => {
    const elapsed = performance.now() - wall;
    const used = process.cpuUsage(cpu);
    return { wall: elapsed, cpu: (used.user + used.system) / 1000 };
  };
}

interface Rounds {
  readonly rounds: number;
  readonly first: number;
}

/** Rounds over `count` subjects; every other round goes backwards, so that no subject always comes first. */
async function interleave(
  count: number,
  { rounds, first }: Rounds,
  sample: (which: number) => Promise<Times>,
): Promise<SampleTimes[]> {
  const taken = Array.from({ length: count }, () => ({ wall: [] as number[], cpu: [] as number[] }));
  for (let round = first; round < first + rounds; round++) {
    for (let i = 0; i < count; i++) {
      const which = round % 2 === 0 ? i : count - 1 - i;
      const { wall, cpu } = await sample(which);
      taken[which]?.wall.push(wall);
      taken[which]?.cpu.push(cpu);
    }
  }
  return taken;
}

async function loadOnce(model: WireModel | undefined, options: SessionOptions | undefined): Promise<Times> {
  if (!model) return { wall: 0, cpu: 0 };
  const start = startClocks();
  const { session } = await openSession(model, options ?? {});
  const times = start();
  await session.release();
  return times;
}

/** From /proc where the system has it; elsewhere the peak of `getrusage`, which counts the same. */
function processMemory(): ProcessMemory {
  const resident = process.memoryUsage.rss();
  try {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (peak !== undefined) return { resident, peak: Number(peak) * 1024 };
  } catch {
    // No /proc on this system.
  }
  return { resident, peak: process.resourceUsage().maxRSS * 1024 };
}

async function answer(request: Request, kept: Kept): Promise<Reply> {
  try {
    const handle = HANDLERS[request.kind] as (body: unknown, kept: Kept) => unknown;
    return { id: request.id, ok: true, value: await handle(request.body, kept) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { id: request.id, ok: false, stage: stageOf(request.kind, error), message };
  }
}

const STAGES: Readonly<Record<RequestKind, FailureStage>> = {
  open: 'load',
  load: 'load',
  run: 'run',
  hold: 'defect',
  drop: 'defect',
  bind: 'run',
  time: 'run',
  startObserver: 'defect',
  observe: 'run',
  endObserver: 'defect',
  close: 'defect',
  endProfile: 'defect',
  memory: 'defect',
};

function stageOf(kind: RequestKind, error: unknown): FailureStage {
  if (error instanceof UnsupportedError) return 'unsupported';
  return error instanceof AccumulatorDefect ? 'defect' : STAGES[kind];
}

function serve(): void {
  const kept: Kept = {
    sessions: new Map(),
    held: new Map(),
    observers: new Map(),
    accumulators: new AccumulatorHost(),
  };
  let last: Promise<void> = Promise.resolve();
  process.on('message', (request: Request) => {
    last = last.then(async () => {
      const reply = await answer(request, kept);
      process.send?.(reply);
    });
  });
  // Ctrl-C reaches the whole process group; the parent decides what becomes of this process.
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(0));
}

serve();
