// What happens to every operator of ai.onnx between opset 7 and the newest: the judgement on each version that
// operator-versions.ts lists. A family is one file and one line here.
import { CONTROL } from './control.js';
import { ELEMENTWISE } from './elementwise.js';
import { LAYERS } from './layers.js';
import { MOVEMENT } from './movement.js';
import { OPERATOR_VERSIONS } from './operator-versions.js';
import { RESIZE } from './resize.js';
import type { Change, ChangeTable } from './step.js';

/** Oldest opset that can be converted: before it, broadcasting went by attributes. */
export const OLDEST_OPSET = 7;
/** Newest opset that ONNX Runtime reads. */
export const NEWEST_OPSET = 26;

export const CHANGES: ChangeTable = { ...ELEMENTWISE, ...LAYERS, ...MOVEMENT, ...RESIZE, ...CONTROL };

/** A version of an operator, as the schemas have it. */
export interface OperatorVersion {
  readonly since: number;
  /** How it differs from the version before, in the marks of operator-versions.ts. */
  readonly differences: readonly string[];
}

/** The versions of an operator, oldest first; undefined when ai.onnx has no such operator. */
export function versionsOf(opType: string): readonly OperatorVersion[] | undefined {
  if (!Object.hasOwn(OPERATOR_VERSIONS, opType)) return undefined;
  return OPERATOR_VERSIONS[opType]?.split(' ').map((text) => {
    const [since = '', differences = ''] = text.split(':');
    return { since: Number(since), differences: differences === '' ? [] : differences.split(',') };
  });
}

/** What becomes of an operator at `version`; undefined when that opset has no new version of it. */
export function changeAt(opType: string, version: number): Change | undefined {
  return Object.hasOwn(CHANGES, opType) ? CHANGES[opType]?.[version] : undefined;
}
