// Measures one-layer models for the latency table: the time that the runtime's profile gives to the nodes, which, unlike
// the time of a run, does not contain the way from JavaScript and back and so can be added up over layers.
import { randomFeeds } from './feeds.js';
import type { CallOptions, RuntimeHost } from './host.js';
import type { MeasureLayer } from './latency-table.js';
import { profileModel } from './profile.js';

const BUDGET = 250;

/**
 * A measuring port over `host`. The models must have fixed shapes.
 * @throws what `RuntimeHost.run` throws
 */
export function layerTimer(host: RuntimeHost, options: CallOptions & { readonly threads: number }): MeasureLayer {
  return async (signature, model) => {
    const { inputs } = await host.describe(model, options);
    const specs = inputs.flatMap((port) => (port.dtype === undefined ? [] : [{ ...port, dtype: port.dtype }]));
    const feeds = randomFeeds(specs, { seed: signature, kind: 'normal', sizes: {} });
    const { nodes } = await profileModel(host, model, feeds, { ...options, budget: BUDGET, optimizedGraph: 'none' });
    // A profile counts whole microseconds; what is faster still is not free.
    return Math.max(
      0.5,
      nodes.reduce((sum, node) => sum + node.us, 0),
    );
  };
}
