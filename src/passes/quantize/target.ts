// The processors that int8 models are made for. What is fused is the same rule set of ONNX Runtime everywhere; the types
// that its fast kernels take, and the width of weights that cannot overflow them, are not.

export interface QuantizationTarget {
  readonly name: TargetName;
  /** One line for the help. */
  readonly summary: string;
  readonly activations: 'uint8' | 'int8';
  /**
   * Largest magnitude of a quantized weight. Without VNNI the x64 kernels add pairs of products u8 s8 in 16 bit, which
   * 2 * 255 * 127 overflows and 2 * 255 * 64 does not.
   */
  readonly weightLimit: 127 | 63;
}

export type TargetName = 'x64-vnni' | 'x64-avx2' | 'arm64';

export const TARGETS: Readonly<Record<TargetName, QuantizationTarget>> = {
  'x64-vnni': {
    name: 'x64-vnni',
    summary: 'x86-64 with VNNI (Ice Lake, Zen 4 and later): uint8 activations, 8-bit weights',
    activations: 'uint8',
    weightLimit: 127,
  },
  'x64-avx2': {
    name: 'x64-avx2',
    summary: 'x86-64 without VNNI: uint8 activations, 7-bit weights, which its 16-bit sums need',
    activations: 'uint8',
    weightLimit: 63,
  },
  arm64: {
    name: 'arm64',
    summary: '64-bit Arm: int8 activations, 8-bit weights',
    activations: 'int8',
    weightLimit: 127,
  },
};
