// Resize and Upsample as means of neighbours within a map: what point convolutions and elementwise maps commute with.
import type { Facts } from '../analysis/facts.js';
import { sameDim } from '../ir/dim.js';
import type { Node } from '../ir/node.js';

/**
 * How a Resize or Upsample along spatial axes fills in: by the nearest element, or linearly by weights that add up to one.
 * Undefined for others, for those that touch the batch or the channels, and for crops, which fill in from outside.
 */
export function interpolationOf(resize: Node, facts: Facts): 'nearest' | 'linear' | undefined {
  if (!resize.is('Resize') && !resize.is('Upsample')) return undefined;
  const mode = resize.string('mode', 'nearest');
  if (mode !== 'nearest' && mode !== 'linear') return undefined;
  if (resize.string('coordinate_transformation_mode', '') === 'tf_crop_and_resize') return undefined;
  const [before, after] = [resize.inputs[0], resize.output].map((value) => value && facts.of(value).shape);
  const keeps = sameDim(before?.[0], after?.[0]) && sameDim(before?.[1], after?.[1]);
  return keeps && resize.attribute('axes') === undefined ? mode : undefined;
}
