// Where the best model lies that is not, or not yet, the result.

/**
 * Path of the best model of a run whose gate was not met, or whose search goes on: OUT itself is not touched, so that make does
 * not take it for done.
 */
export const bestPath = (output: string): string => `${output}.best.onnx`;
