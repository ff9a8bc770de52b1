// An energy proxy for ranking, not joules: arithmetic and memory traffic at the 45 nm figures of Horowitz (ISSCC 2014).
//   E = MACs x (multiply + add) + bytes read and written x energy per byte
// Weights come from DRAM once per run. An activation costs what the smallest memory costs that holds it: caches of
// 8 KiB, 32 KiB and 1 MiB, then DRAM at the low end of its range.
import { isFloat, type DType } from '../tensor/dtype.js';

/** Picojoules of one multiply-accumulate: multiplication + addition. Other types count as float32. */
const MAC_PJ: Partial<Record<DType, number>> = {
  float32: 3.7 + 0.9,
  float16: 1.1 + 0.4,
  bfloat16: 1.1 + 0.4,
  int8: 0.2 + 0.1,
  uint8: 0.2 + 0.1,
  int32: 3.1 + 0.1,
};

/** Picojoules per byte, a 64-bit access divided by 8, up to this many bytes. */
const LEVELS: readonly { readonly bytes: number; readonly pj: number }[] = [
  { bytes: 8 * 1024, pj: 10 / 8 },
  { bytes: 32 * 1024, pj: 20 / 8 },
  { bytes: 1024 * 1024, pj: 100 / 8 },
];

export const DRAM_PJ_PER_BYTE = 1300 / 8;

/** Picojoules of one multiply-accumulate of operands of type `dtype`. */
export function macEnergy(dtype: DType | undefined): number {
  const float32 = 3.7 + 0.9;
  return dtype === undefined ? float32 : (MAC_PJ[dtype] ?? (isFloat(dtype) ? float32 : 3.1 + 0.1));
}

/** Picojoules of reading or writing an activation of this many bytes once. */
export function trafficEnergy(bytes: number): number {
  return bytes * (LEVELS.find((level) => bytes <= level.bytes)?.pj ?? DRAM_PJ_PER_BYTE);
}
