// The exact passes, in the order of the preset: functions open first, then constants and shapes fold, then what is idle
// goes and what is alike merges. A pass is one import and one line.
import type { AnyPass } from '../pass.js';
import { inlineFunctions } from './inline-functions.js';
import { liftConstants } from './lift-constants.js';
import { foldShapes } from './fold-shapes.js';
import { foldConditions } from './fold-conditions.js';
import { foldConstants } from './fold-constants.js';
import { mergeDuplicates } from './merge-duplicates.js';
import { eliminateDeadCode } from './eliminate-dead-code.js';
import { removeIdentity } from './remove-identity.js';
import { removeNeutralSums } from './remove-neutral-sums.js';
import { removeIdleMovement } from './remove-idle-movement.js';
import { mergeReshapes } from './merge-reshapes.js';
import { mergeTransposes } from './merge-transposes.js';
import { cancelViews } from './cancel-views.js';
import { mergeSlices } from './merge-slices.js';
import { mergeConcats } from './merge-concats.js';
import { mergeCasts } from './merge-casts.js';
import { mergeClips } from './merge-clips.js';
import { mergePads } from './merge-pads.js';
import { mergePools } from './merge-pools.js';
import { foldBatchNorm } from './fold-batch-norm.js';
import { foldAffine } from './fold-affine.js';
import { mergeAffine } from './merge-affine.js';
import { fuseMatMulAdd } from './fuse-matmul-add.js';
import { foldGemmTranspose } from './fold-gemm-transpose.js';
import { fuseClip } from './fuse-clip.js';
import { fuseSigmoid } from './fuse-sigmoid.js';
import { fuseHardSwish } from './fuse-hard-swish.js';
import { fuseHardSigmoid } from './fuse-hard-sigmoid.js';
import { fuseGelu } from './fuse-gelu.js';
import { fuseMish } from './fuse-mish.js';
import { fuseSilu } from './fuse-silu.js';
import { fuseLeakyRelu } from './fuse-leaky-relu.js';
import { fuseLayerNorm } from './fuse-layer-norm.js';
import { fuseRmsNorm } from './fuse-rms-norm.js';
import { fuseInstanceNorm } from './fuse-instance-norm.js';
import { fuseSoftmax } from './fuse-softmax.js';
import { fuseDepthToSpace } from './fuse-depth-to-space.js';
import { foldChannelShuffle } from './fold-channel-shuffle.js';
import { mergeGemms } from './merge-gemms.js';
import { dropIdleChannels } from './drop-idle-channels.js';
import { foldPad } from './fold-pad.js';
import { foldCrop } from './fold-crop.js';
import { foldStridedPool } from './fold-strided-pool.js';
import { hoistAveragePool } from './hoist-average-pool.js';
import { swapResizeActivation } from './swap-resize-activation.js';
import { swapResizeConv } from './swap-resize-conv.js';
import { mergeConvs } from './merge-convs.js';
import { mergeAveragePool } from './merge-average-pool.js';
import { foldDuplicateConcat } from './fold-duplicate-concat.js';
import { mergeAddedBranches } from './merge-added-branches.js';
import { mergeParallelConvs } from './merge-parallel-convs.js';
import { fuseGlobalAveragePool } from './fuse-global-average-pool.js';
import { sinkMonotone } from './sink-monotone.js';
import { expandLrn } from './expand-lrn.js';

export const EXACT_PASSES: readonly AnyPass[] = [
  inlineFunctions,
  liftConstants,
  foldShapes,
  foldConditions,
  foldConstants,
  mergeDuplicates,
  eliminateDeadCode,
  removeIdentity,
  removeNeutralSums,
  removeIdleMovement,
  fuseClip,
  fuseSigmoid,
  fuseHardSwish,
  fuseHardSigmoid,
  fuseGelu,
  fuseMish,
  fuseSilu,
  fuseLeakyRelu,
  fuseLayerNorm,
  fuseRmsNorm,
  fuseInstanceNorm,
  fuseSoftmax,
  fuseDepthToSpace,
  foldChannelShuffle,
  mergeReshapes,
  mergeTransposes,
  cancelViews,
  mergeSlices,
  mergeConcats,
  mergeCasts,
  mergeClips,
  mergePads,
  mergePools,
  foldBatchNorm,
  foldAffine,
  mergeAffine,
  fuseMatMulAdd,
  foldGemmTranspose,
  mergeGemms,
  foldPad,
  foldCrop,
  foldStridedPool,
  hoistAveragePool,
  swapResizeActivation,
  swapResizeConv,
  mergeConvs,
  mergeAveragePool,
  foldDuplicateConcat,
  mergeAddedBranches,
  mergeParallelConvs,
  fuseGlobalAveragePool,
  sinkMonotone,
  dropIdleChannels,
];

/** Exact as well, but not for every model: what comes after them sees less. Not part of the preset. */
export const OPTIONAL_EXACT_PASSES: readonly AnyPass[] = [expandLrn];
