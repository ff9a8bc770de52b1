// Passes that belong to quantization: what prepares a float model for 8 bits, and conversions to other number formats. None
// of them is part of the preset `exact`.
import type { AnyPass } from '../pass.js';
import { convertFp16 } from './convert-fp16.js';
import { equalizeChannels } from './equalize-channels.js';
import { padInnerChannels } from './pad-inner-channels.js';
import { padInputChannels } from './pad-input-channels.js';
import { quantizeDynamic } from './quantize-dynamic.js';
import { transposeGemmWeights } from './transpose-gemm-weights.js';
import { useGlobalAveragePool } from './use-global-average-pool.js';
import { useStridedConv } from './use-strided-conv.js';

export const QUANTIZE_PASSES: readonly AnyPass[] = [
  useGlobalAveragePool,
  useStridedConv,
  transposeGemmWeights,
  padInputChannels,
  padInnerChannels,
  equalizeChannels,
  convertFp16,
  quantizeDynamic,
];
