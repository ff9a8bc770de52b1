// Slice as a list of ranges, one per axis, whether an opset gives them as attributes or as inputs.
import { isStatic, type Dim } from '../ir/dim.js';
import type { OpSite } from '../ops/record.js';
import { intsOf } from '../ops/inputs.js';

/** One axis of a Slice, as written: negative axes and positions count from the end, positions are clamped to the axis. */
export interface SliceRange {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Exporters write "to the end" as the largest int32 or int64. */
export const TO_THE_END = 2 ** 31 - 1;

/** The ranges of a Slice whose parameters are all known. */
export function readSlice(site: OpSite): readonly SliceRange[] | undefined {
  const starts = intsOf(site, 'starts', 1);
  const ends = intsOf(site, 'ends', 2);
  const axes = intsOf(site, 'axes', 3);
  const steps = intsOf(site, 'steps', 4);
  if (!Array.isArray(starts) || !Array.isArray(ends) || axes === undefined || steps === undefined) return undefined;
  const ranges = starts.map((start: number, i) => ({
    axis: axes === 'absent' ? i : axes[i],
    start,
    end: Number(ends[i]),
    step: steps === 'absent' ? 1 : steps[i],
  }));
  return ranges.every((range): range is SliceRange => range.axis !== undefined && range.step !== undefined)
    ? ranges
    : undefined;
}

/** The range is the whole axis, in order. `dim`: its size, where known. */
export function isWholeRange({ start, end, step }: SliceRange, dim: Dim | undefined): boolean {
  const fromStart = start === 0 || (isStatic(dim) && start <= -dim);
  return step === 1 && fromStart && (end >= TO_THE_END || (isStatic(dim) && end >= dim));
}

/** First and one-past-last position on an axis of size `dim` of a range with step 1. */
export function clampRange({ start, end }: SliceRange, dim: number): { readonly start: number; readonly end: number } {
  const clamp = (position: number): number => Math.min(dim, Math.max(0, position < 0 ? position + dim : position));
  const first = clamp(start);
  return { start: first, end: Math.max(first, clamp(end)) };
}
