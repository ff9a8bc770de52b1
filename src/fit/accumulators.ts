// Every kind of accumulator, by the name that specs use.
import type { AccumulatorKind } from './accumulator.js';
import { RANGE } from './range.js';

export const ACCUMULATORS: Readonly<Record<string, AccumulatorKind>> = { range: RANGE };
