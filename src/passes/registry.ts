// Every pass there is, by folder. A new pass is its file and one line in the array of its folder.
import { EXACT_PASSES, OPTIONAL_EXACT_PASSES } from './exact/passes.js';
import { OPSET_PASSES } from './opset/passes.js';
import { QUANTIZE_PASSES } from './quantize/passes.js';
import type { AnyPass } from './pass.js';

export const ALL_PASSES: readonly AnyPass[] = [
  ...EXACT_PASSES,
  ...OPTIONAL_EXACT_PASSES,
  ...OPSET_PASSES,
  ...QUANTIZE_PASSES,
];

const byName = new Map(ALL_PASSES.map((pass) => [pass.name, pass]));

/** The pass of this name, if there is one. */
export function findPass(name: string): AnyPass | undefined {
  return byName.get(name);
}
