// Which operators the runtimes of mobile devices take, by name only: what they ask of shapes and attributes is not here,
// so an operator that is listed may still be refused. `Constant` is in no list, since every runtime reads it as a weight.

export interface MobileRuntime {
  readonly name: string;
  /** Where the list comes from. */
  readonly source: string;
  readonly operators: ReadonlySet<string>;
  /** What becomes of a node with another operator: the processor runs it, or the model does not load. */
  readonly others: 'run on the CPU' | 'do not load';
  /** Nodes whose shapes are not fixed are left to the processor. */
  readonly shapes: 'fixed' | 'any';
  /** Whether tensors may have 64-bit elements. */
  readonly wideTypes: 'yes' | 'no';
}

/** Words of a list as a set. Names of ai.onnx stand bare, others after their domain. */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

const ORT_MOBILE: MobileRuntime = {
  name: 'ORT mobile',
  source: 'the reduced package, published up to ONNX Runtime 1.18 (mobile_package.required_operators.config)',
  others: 'do not load',
  shapes: 'any',
  wideTypes: 'yes',
  operators: words(`
    Abs Add And ArgMax ArgMin AveragePool Cast Ceil Clip Concat ConstantOfShape Conv ConvTranspose Cos CumSum
    DepthToSpace DequantizeLinear Div DynamicQuantizeLinear Elu Equal Erf Exp Expand Flatten Floor Gather GatherND
    Gemm GlobalAveragePool Greater GreaterOrEqual Identity If InstanceNormalization LRN LayerNormalization LeakyRelu
    Less LessOrEqual Log LogSoftmax Loop MatMul MatMulInteger Max MaxPool Mean Min Mul Neg NonMaxSuppression NonZero
    Not Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear Range Reciprocal ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum Relu Reshape Resize ReverseSequence Round Scan ScatterND Shape Sigmoid Sin Size Slice
    Softmax SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile TopK Transpose Unique Unsqueeze Where
    com.microsoft.BiasGelu com.microsoft.DynamicQuantizeMatMul com.microsoft.FusedConv com.microsoft.FusedGemm
    com.microsoft.FusedMatMul com.microsoft.Gelu com.microsoft.MatMulIntegerToFloat com.microsoft.NhwcMaxPool
    com.microsoft.QLinearAdd com.microsoft.QLinearAveragePool com.microsoft.QLinearConv
    com.microsoft.QLinearGlobalAveragePool com.microsoft.QLinearLeakyRelu com.microsoft.QLinearMul
    com.microsoft.QLinearSigmoid com.microsoft.SkipLayerNormalization
  `),
};

const NNAPI: MobileRuntime = {
  name: 'NNAPI',
  source: 'ONNX Runtime 1.31.1 (nnapi_supported_ops.md)',
  others: 'run on the CPU',
  shapes: 'fixed',
  wideTypes: 'no',
  operators: words(`
    Abs Add AveragePool BatchNormalization Cast Clip Concat Conv DepthToSpace DequantizeLinear Div Elu Exp Flatten
    Floor Gather Gemm GlobalAveragePool GlobalMaxPool Identity LRN LeakyRelu Log MatMul Max MaxPool Min Mul Neg
    PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear ReduceMean Relu Reshape Resize Sigmoid Sin Slice Softmax
    Split Sqrt Squeeze Sub Tanh Transpose Unsqueeze com.microsoft.QLinearAdd com.microsoft.QLinearAveragePool
    com.microsoft.QLinearSigmoid
  `),
};

const CORE_ML: MobileRuntime = {
  name: 'CoreML',
  source: 'ONNX Runtime 1.31.1, ML Program format (coreml_supported_mlprogram_ops.md)',
  others: 'run on the CPU',
  shapes: 'fixed',
  wideTypes: 'no',
  operators: words(`
    Add And ArgMax AveragePool Cast Ceil Clip Concat Conv ConvTranspose Cos DepthToSpace Div Elu Erf Exp GatherND
    Gelu Gemm GlobalAveragePool GlobalMaxPool GridSample GroupNormalization HardSigmoid Identity
    InstanceNormalization LayerNormalization LeakyRelu MatMul Max MaxPool Mul PRelu Pow Reciprocal ReduceMax
    ReduceMean ReduceSum Relu Reshape Resize Round Shape Sigmoid Sin Slice Softmax Softplus Split Sqrt Squeeze Sub
    Tanh Tile Transpose Unsqueeze Where com.microsoft.FusedConv com.microsoft.QuickGelu
  `),
};

/** Relu and Clip join the convolution before them; QuantizeLinear and DequantizeLinear, the operator between them. */
const XNNPACK: MobileRuntime = {
  name: 'XNNPACK',
  source: 'documentation of ONNX Runtime (Xnnpack-ExecutionProvider.md)',
  others: 'run on the CPU',
  shapes: 'any',
  wideTypes: 'yes',
  operators: words(`
    AveragePool Clip Conv ConvTranspose DequantizeLinear Gemm MatMul MaxPool QLinearConv QuantizeLinear Relu Resize Softmax
    com.microsoft.QLinearAveragePool com.microsoft.QLinearConvTranspose com.microsoft.QLinearSoftmax
  `),
};

export const MOBILE_RUNTIMES: readonly MobileRuntime[] = [ORT_MOBILE, NNAPI, CORE_ML, XNNPACK];
/** The reduced package of ORT mobile has kernels from this version of ai.onnx on. */
export const ORT_MOBILE_OPSET = 12;
