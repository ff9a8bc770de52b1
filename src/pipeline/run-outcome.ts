// What a run that looks at samples gives, whatever it did to the model.
import type { Comparison, Loss } from './evaluation/compare-answers.js';
import type { Measurement } from './measure.js';
import type { Side } from './slim.js';

export interface SampledRunOutcome {
  readonly before: Side;
  readonly after: Side;
  readonly comparison: Comparison | undefined;
  readonly loss: Loss | undefined;
  /** Verdict on `maxDrop`; undefined when none was given. */
  readonly gate: 'met' | 'missed' | undefined;
  readonly measurement: Measurement | undefined;
  /** False for targets that this machine is not. */
  readonly speedMeasured: boolean;
  readonly warnings: readonly string[];
  /** The model file in the private folder. */
  readonly path: string;
  /** Moves the result (or, under other names, the best that failed a gate) to `path`. */
  publish(path: string): Promise<void>;
  /** Removes what was not published. */
  dispose(): Promise<void>;
}
