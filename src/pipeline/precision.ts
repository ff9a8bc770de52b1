// How close outputs have to be. Passes that promise bit-equality are held to it; those that only re-associate
// arithmetic get a tolerance that fits the narrowest floating-point type of the model; lossy ones declare theirs.
import type { Model } from '../ir/model.js';
import { findPass } from '../passes/registry.js';
import type { Tolerance } from '../runtime/compare.js';
import type { DType } from '../tensor/dtype.js';
import type { RewriteLog } from './rewrite-log.js';

/** Largest error relative to the scale of an output, per element type that occurs in the model. */
const LIMITS: Partial<Record<DType, number>> = { float16: 1e-2, bfloat16: 5e-2 };
const DEFAULT_LIMIT = 1e-4;

/** The tolerance for a model after the rewrites of `log`. */
export function precisionTolerance(model: Model, log: RewriteLog): Tolerance {
  const rewrote = [...log.tallies].filter(([, tally]) => tally.rewrites > 0).map(([name]) => findPass(name));
  if (rewrote.every((pass) => pass?.exactness === 'exact')) return { mode: 'bits' };
  let limit = rewrote.reduce((most, pass) => Math.max(most, pass?.tolerance ?? 0), DEFAULT_LIMIT);
  const types = [
    ...model.graph.inputs.map(({ type }) => type),
    ...[...model.allInitializers()].map(({ type }) => type),
  ];
  for (const type of types) if (type?.kind === 'tensor' && type.dtype) limit = Math.max(limit, LIMITS[type.dtype] ?? 0);
  return { mode: 'scale', limit };
}
