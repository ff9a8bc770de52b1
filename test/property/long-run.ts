// The program behind bench/property.mjs: random graphs `first` to `first + count - 1` through all exact passes.
import { pathToFileURL } from 'node:url';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import { EXACT_PASSES } from '../../src/passes/exact/passes.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { exploreGraph, passesFor, reduceSeed } from './explore.js';

export interface LongRunOptions {
  readonly count: number;
  readonly first: number;
  /** The compiled runtime worker. */
  readonly worker: string;
  /** Receives one line at a time. */
  readonly print: (line: string) => void;
}

/** How many graphs broke a promise. Prints those, shrunk, and a summary. */
export async function longRun({ count, first, worker, print }: LongRunOptions): Promise<number> {
  const host = new RuntimeHost({ workerUrl: pathToFileURL(worker) });
  const totals = { broken: 0, unrunnable: 0, before: 0, after: 0, error: 0 };
  const fired = new Map<string, number>();
  for (let seed = first; seed < first + count; seed++) {
    const { violations, isUnrunnable, nodes, error, log } = await exploreGraph(seed, host);
    for (const [pass, { rewrites }] of log?.tallies ?? []) fired.set(pass, (fired.get(pass) ?? 0) + rewrites);
    totals.before += nodes[0];
    totals.after += nodes[1];
    totals.error = Math.max(totals.error, error);
    if (isUnrunnable) totals.unrunnable++;
    if (violations.length > 0) {
      totals.broken++;
      print(
        [
          `graph ${seed}: ${passesFor(seed)
            .map(({ pass }) => pass.name)
            .join(' ')}`,
          ...violations.map(({ property, message }) => `  ${property}: ${message}`),
        ].join('\n'),
      );
      print(printModel(parseModel(await reduceSeed(seed, host)), { weights: 'brief' }));
    }
    if ((seed - first + 1) % 500 === 0) print(`${seed - first + 1} graphs, ${totals.broken} broken`);
  }
  await host.dispose();
  print(
    `rewrites: ${EXACT_PASSES.map(({ name }) => `${name} ${fired.get(name) ?? 0}`)
      .toSorted()
      .join(', ')}`,
  );
  print(
    `${count} graphs from seed ${first}: ${totals.broken} broken, ${totals.unrunnable} that ONNX Runtime does not run, nodes ${totals.before} -> ${totals.after}, worst difference ${totals.error.toExponential(1)} of scale`,
  );
  return totals.broken;
}
