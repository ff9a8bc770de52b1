// The library. Everything here is documented in docs/library.md; what is not here may change without notice.
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
export type { SlimReport } from './report/report.js';
