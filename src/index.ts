// The library. Everything here is documented in docs/library.md; what is not here may change without notice.
export { calibrateFile, type CalibrateFileOptions, type CalibrateFileResult } from './report/calibrate-file.js';
export { evaluateFile, type EvaluateFileOptions } from './report/evaluate-file.js';
export { combineFile, type CombineFileOptions, type CombineFileResult } from './report/combine-file.js';
export { deepenFile, type DeepenFileOptions, type DeepenFileResult } from './report/deepen-file.js';
export { factorizeFile, type FactorizeFileOptions, type FactorizeFileResult } from './report/factorize-file.js';
export { pruneFile, type PruneFileOptions, type PruneFileResult } from './report/prune-file.js';
export { quantizeFile, type QuantizeFileOptions, type QuantizeFileResult } from './report/quantize-file.js';
export type { SampleOptions } from './report/sample-options.js';
export { slimFile, type SlimFileOptions, type SlimFileResult } from './report/slim-file.js';
export {
  AppError,
  GateError,
  InputError,
  InternalError,
  InterruptError,
  UsageError,
  type ErrorCode,
  type ErrorPlace,
} from './base/errors.js';
export { decodeModel, type DecodedModel, type DecodeOptions } from './onnx/decode.js';
export { encodeModel } from './onnx/encode.js';
export { openModel } from './onnx/open.js';
export { writeModel } from './onnx/write.js';
export type { OnnxDocument } from './onnx/document.js';
export { Model } from './ir/model.js';
export { Graph } from './ir/graph.js';
export { Node } from './ir/node.js';
export { Value } from './ir/value.js';
export { parseModel } from './ir/text/parse.js';
export { printModel } from './ir/text/print.js';
export { Tensor } from './tensor/tensor.js';
export { createFacts } from './analysis/inference.js';
export type { Facts } from './analysis/facts.js';
export { defineGlobalPass, defineLocalPass, type AnyPass, type Pass, type PassContext } from './passes/pass.js';
export { ALL_PASSES, findPass } from './passes/registry.js';
export { configure, type ConfiguredPass } from './pipeline/configured-pass.js';
export { parseRecipe, recipeSchema, type Recipe, type RecipeDocument } from './pipeline/recipe.js';
export { runPasses, type PassEnvironment } from './pipeline/run-passes.js';
export type { CombineSettings } from './pipeline/combining/settings.js';
export type { DeepenSettings } from './pipeline/deepening/settings.js';
export type { FactorizeSettings } from './pipeline/factorizing/settings.js';
export type { PruneSettings } from './pipeline/pruning/settings.js';
export type { QuantizeSettings } from './pipeline/quantization/settings.js';
export { openData, type DataOptions, type OpenedData } from './data/open-data.js';
export type { DataSet, InputPort, Sample, StreamOptions } from './data/data-set.js';
export { parsePreprocess, type Preprocess } from './data/preprocess.js';
export { mergeCalibrations, type CalibrationCache } from './pipeline/calibration/cache.js';
export { readCacheFile, writeCacheFile } from './pipeline/calibration/cache-file.js';
export type { CalibrateReport } from './report/calibrate-report.js';
export type { EvalReport } from './report/eval-report.js';
export type { CombineReport } from './report/combine-report.js';
export type { DeepenReport } from './report/deepen-report.js';
export type { FactorizeReport } from './report/factorize-report.js';
export type { PruneReport } from './report/prune-report.js';
export type { QuantizeReport } from './report/quantize-report.js';
export type { SlimReport } from './report/report.js';
