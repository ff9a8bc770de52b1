// What is done for a model that has just lost units, before the next ones leave: a refit in closed form, nothing, or (in the same
// place) training.
import type { DecodedModel } from '../../onnx/decode.js';
import type { PlacedChain } from '../../passes/factorize/placed-chain.js';
import type { QuantizationBench } from '../quantization/bench.js';
import type { KeptChannels } from './kept-channels.js';
import { repairLayers } from './repair.js';

export interface RecoverySite {
  /** Its model stands as it is without the units, and is mended in place. */
  readonly bench: QuantizationBench;
  /** The model that it is to be like. */
  readonly teacher: DecodedModel;
  /** Which channels of the teacher are left. */
  readonly kept: KeptChannels;
  /** What stands in it for layers of the teacher. */
  readonly chains?: readonly PlacedChain[];
  readonly seed: number;
}

export interface Recovered {
  /** Layers that were changed. */
  readonly layers: number;
  /** By label of a layer: its error against the teacher, as part of the energy of its outputs, on the samples. */
  readonly errors: ReadonlyMap<string, number>;
}

/** The same site gives the same model, to the bit. */
export interface Recovery {
  readonly name: string;
  recover(site: RecoverySite): Promise<Recovered>;
}

/** Leaves the model as it is. */
export const NO_RECOVERY: Recovery = { name: 'none', recover: () => Promise.resolve({ layers: 0, errors: new Map() }) };

/** Refits the layers behind what went by least squares, from the input on. */
export const REFIT: Recovery = {
  name: 'refit',
  recover: async ({ bench, teacher, kept, chains = [], seed }) => {
    const { layers, refitted } = await repairLayers(bench, teacher, kept, { chains, seed });
    const errors = layers.flatMap(({ name, errorAfter, errorBefore }) => {
      const error = errorAfter ?? errorBefore;
      return error === undefined ? [] : [[name, error] as const];
    });
    return { layers: refitted, errors: new Map(errors) };
  },
};
