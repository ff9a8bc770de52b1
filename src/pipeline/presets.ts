// Named lists of passes. `slim` without `-p` runs `exact`.
import { EXACT_PASSES } from '../passes/exact/passes.js';
import type { AnyPass } from '../passes/pass.js';

interface Preset {
  readonly summary: string;
  readonly passes: readonly AnyPass[];
}

export const PRESETS = {
  exact: { summary: 'everything that keeps the outputs: no data needed', passes: EXACT_PASSES },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof PRESETS;
