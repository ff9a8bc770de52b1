// The report value of `profile`, from what was measured.
import type { Node } from '../ir/node.js';
import { opKey } from '../ops/registry.js';
import type { ProfiledRun, ProfileOutcome, ProfileRequest } from '../pipeline/profile-model.js';
import type { ModelFigures } from '../pipeline/model-facts.js';
import type { Share } from './facts.js';
import { layerFacts } from './layer-facts.js';
import type { ProfileReport } from './profile-report.js';
import { surroundings } from './surroundings.js';

/** The report of one profile; `name` is that of the file, "-" for standard input. */
export function buildProfileReport(request: ProfileRequest, outcome: ProfileOutcome, name: string): ProfileReport {
  const { asked, plain, latency, load, memory, figures, alone } = outcome;
  const own = new Map(alone?.latencies.layers.map(({ node, us }) => [node, us]));
  const fusion = request.optimization === 'disabled' ? 'off' : 'on';
  return {
    version: 1,
    kind: 'profile',
    file: { ...outcome.file, name },
    fusion,
    optimization: request.optimization,
    feed: outcome.sample.label,
    rounds: asked.profile.runs,
    latency: { p50Ms: latency.wall.p50, p90Ms: latency.wall.p90, p99Ms: latency.wall.p99 },
    load: load.p50,
    memory: { loadedBytes: Math.max(0, memory.loaded - memory.base), peakBytes: Math.max(0, memory.added) },
    timeShare: [
      { fusion, share: timeShare(figures, asked) },
      ...(plain ? [{ fusion: 'off' as const, share: timeShare(figures, plain) }] : []),
    ],
    layers: figures.layers.map((layer) => ({
      name: layer.name,
      facts: layerFacts(layer, asked.times, own.get(layer.node)),
    })),
    runtimeNodes: runtimeNodes(asked),
    ranAs: ranAs(asked),
    notRun: notRun(asked),
    alone: aloneTotals(outcome),
    ...surroundings(),
    seed: request.seed,
    threads: request.threads,
    warnings: warnings(request, outcome),
  };
}

/** Time by kind of layer, with what the runtime added and what could not be traced back apart. */
function timeShare({ layers }: ModelFigures, { times }: ProfiledRun): Share {
  const share = { tensorUs: 0, nonTensorUs: 0, runtimeUs: 0 };
  for (const { node, kind } of layers)
    share[kind === 'tensor' ? 'tensorUs' : 'nonTensorUs'] += times.of.get(node)?.us ?? 0;
  const { inserted, unknown } = times.attribution;
  share.runtimeUs = [...inserted, ...unknown].reduce((sum, { us }) => sum + us, 0);
  return share;
}

function runtimeNodes({ times: { attribution } }: ProfiledRun): ProfileReport['runtimeNodes'] {
  const unknown = new Map<string, { opType: string; count: number; us: number }>();
  for (const { opType, us } of attribution.unknown) {
    const bucket = unknown.get(opType) ?? { opType, count: 0, us: 0 };
    unknown.set(opType, { opType, count: bucket.count + 1, us: bucket.us + us });
  }
  return [...attribution.inserted, ...unknown.values()].map(({ opType, count, us }) => ({ opType, count, timeUs: us }));
}

/** Groups of source nodes that became one node, by operators. */
function ranAs({ times }: ProfiledRun): ProfileReport['ranAs'] {
  const byName = new Map([...times.names].map(([node, name]) => [name, node]));
  const position = new Map([...times.of.keys()].map((node, index) => [node, index]));
  const groups = new Map<string, { operators: string; ranAs: string; count: number; timeUs: number }>();
  for (const [node, { ranAs: ran, fused, us }] of times.of) {
    if (ran === undefined) continue;
    const members = [node, ...fused.flatMap((name) => byName.get(name) ?? [])].sort(
      (a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0),
    );
    const operators = members.map((member) => opKey(member.opType, member.domain)).join(' + ');
    const key = `${operators}\0${ran}`;
    const group = groups.get(key) ?? { operators, ranAs: ran, count: 0, timeUs: 0 };
    groups.set(key, { ...group, count: group.count + 1, timeUs: group.timeUs + us });
  }
  return [...groups.values()].sort((a, b) => b.timeUs - a.timeUs);
}

function notRun({ times }: ProfiledRun): ProfileReport['notRun'] {
  const counts = new Map<string, number>();
  const idle = ([, { ranAs: ran, fusedInto }]: [Node, { ranAs: string | undefined; fusedInto: string | undefined }]) =>
    ran === undefined && fusedInto === undefined;
  for (const [node] of [...times.of].filter(idle)) {
    const operator = opKey(node.opType, node.domain);
    counts.set(operator, (counts.get(operator) ?? 0) + 1);
  }
  return [...counts].map(([opType, count]) => ({ opType, count })).sort((a, b) => b.count - a.count);
}

function aloneTotals({ alone }: ProfileOutcome): ProfileReport['alone'] {
  if (!alone) return undefined;
  const { layers, distinct, measured } = alone.latencies;
  const missing = layers.filter(({ notTimed }) => notTimed !== undefined && notTimed !== 'constant');
  return {
    distinct,
    measured,
    notTimed: missing.length,
    sumUs: layers.reduce((sum, { us }) => sum + (us ?? 0), 0),
    table: alone.table.origin,
  };
}

function warnings({ alone: asked }: ProfileRequest, { latency, alone }: ProfileOutcome): string[] {
  const foreign =
    asked?.file !== undefined && alone?.table.origin === 'foreign'
      ? [
          `the latency table was measured on another machine, runtime or thread count (${alone.table.identity.cpu}): nothing was added to it`,
        ]
      : [];
  const contended = latency.contended
    ? [
        `other programs took ${Math.round(100 * (1 - latency.cpuShare))} % of the processor: run it again on a quiet machine`,
      ]
    : [];
  return [...foreign, ...contended];
}
