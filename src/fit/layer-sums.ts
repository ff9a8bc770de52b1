// Second moments of a layer's patches against targets that are at hand as rows, gathered position by position.
import { layerSizes, type LinearLayer } from './patch-geometry.js';
import type { PatchMoments, Window } from './patch-moments.js';
import { RankUpdate } from './rank-update.js';

export interface LayerSums {
  /** The patch at output `position` of one sample of the window, with the numbers of `targets` from `start` on: one per output. */
  add(window: Window, sample: number, position: number, targets: Float32Array, start: number): void;
  /** One set of sums per group. */
  moments(): PatchMoments;
}

const BUFFER_BYTES = 2 ** 23;
const MOST_WAITING = 128;

/** Sums that are zero. */
export function layerSums(layer: LinearLayer): LayerSums {
  const { groups, inputs, outputs, taps: count, patch } = layerSizes(layer);
  const width = groups * (patch + outputs + 7);
  const depth = Math.max(8, Math.min(MOST_WAITING, Math.floor(BUFFER_BYTES / 8 / width)));
  const updates = Array.from({ length: groups }, () => new RankUpdate(patch + 1, outputs, depth));
  const taps = new Int32Array(count);
  return {
    add: (window, sample, position, targets, start) => {
      window.seek(position, taps);
      for (const [group, update] of updates.entries()) {
        const base = sample * window.batch + group * inputs * window.channel;
        update.addWindow(window.data, base, inputs, window.channel, taps);
        update.addTargets(targets, start + group * outputs, 1);
        update.next();
      }
    },
    moments: () => ({ parts: updates.map((update) => update.moments()) }),
  };
}
