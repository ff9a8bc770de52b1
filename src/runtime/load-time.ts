// How long a model takes to load: session creations of two models in turn, each released before the next.
import type { RuntimeHost } from './host.js';
import { summarize, TIMING_DEFAULTS, type TimedBlock, type TimingComparison, type TimingOptions } from './latency.js';
import type { ModelSource } from './model-source.js';
import type { SampleTimes, SessionOptions } from './protocol.js';
import { halfWidth } from './statistics.js';

/** Creations scatter more than runs; asking for the precision of runs would mostly spend the whole budget. */
const DEFAULTS = { ...TIMING_DEFAULTS, budget: 5000, precision: 0.03 };
const MIN_ROUNDS = 7;
const MAX_ROUNDS = 200;
/** Milliseconds of creations per message to the child. */
const CHUNK = 200;

/**
 * Compares how long sessions of `before` and `after` take to create, files being in the system's cache. Options as for
 * `compareLatency`; the default budget is 5 s, the
 * default precision 0.03.
 * @throws InputError as `RuntimeHost.run` for models, InterruptError
 */
export function compareLoadTime(
  host: RuntimeHost,
  before: ModelSource,
  after: ModelSource,
  options: TimingOptions = {},
): Promise<TimingComparison> {
  const { threads, optimization, precision, budget } = { ...DEFAULTS, ...options };
  const session: SessionOptions = { threads, optimization };
  return host.exclusive(async (link) => {
    await link.closeAll();
    return link.withWire(before, session, (first) =>
      link.withWire(after, session, async (second) => {
        let done = 0;
        const load = async (rounds: number): Promise<readonly SampleTimes[]> => {
          const times = await link.ask(
            'load',
            { models: [first, second], options: [session, session], rounds, first: done },
            before,
          );
          done += rounds;
          return times;
        };
        // The first creation also starts the runtime's environment.
        await load(1);
        const warm = await load(1);
        const chunk = Math.max(
          1,
          Math.min(20, Math.floor(CHUNK / warm.reduce((sum, { wall }) => sum + (wall[0] ?? 0), 0))),
        );
        const blocks: TimedBlock[] = [];
        const end = performance.now() + budget;
        for (;;) {
          blocks.push({ stratum: 'load', models: await load(chunk) });
          const rounds = blocks.length * chunk;
          if (rounds < MIN_ROUNDS) continue;
          const result = summarize(blocks, 1, { ...options, precision });
          options.onProgress?.(blocks.length, halfWidth(result[result.decidedBy]));
          if (halfWidth(result[result.decidedBy]) <= precision || rounds >= MAX_ROUNDS || performance.now() >= end)
            return result;
        }
      }),
    );
  }, options);
}
