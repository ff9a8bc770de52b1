// JSON Schema (2020-12) of every report document, from its declaration.
import { SLIM_BATCH, type SlimBatchReport } from './batch-report.js';
import { CALIBRATE_REPORT, type CalibrateReport } from './calibrate-report.js';
import { REPORT_VERSION } from './facts.js';
import { COMBINE_REPORT, type CombineReport } from './combine-report.js';
import { COMPARE_REPORT, type CompareReport } from './compare-report.js';
import { DEEPEN_REPORT, type DeepenReport } from './deepen-report.js';
import { EVAL_REPORT, type EvalReport } from './eval-report.js';
import { FACTORIZE_REPORT, type FactorizeReport } from './factorize-report.js';
import { INSPECT_REPORT, type InspectReport } from './inspect-report.js';
import { PROFILE_REPORT, type ProfileReport } from './profile-report.js';
import { PRUNE_REPORT, type PruneReport } from './prune-report.js';
import { QUANTIZE_REPORT, type QuantizeReport } from './quantize-report.js';
import { SLIM_REPORT, type SlimReport } from './report.js';
import type { JsonSchema, Shape } from './shape.js';

/** Every report value by its `kind`. */
export interface ReportKinds {
  readonly slim: SlimReport;
  readonly 'slim-batch': SlimBatchReport;
  readonly inspect: InspectReport;
  readonly profile: ProfileReport;
  readonly compare: CompareReport;
  readonly eval: EvalReport;
  readonly calibrate: CalibrateReport;
  readonly quantize: QuantizeReport;
  readonly prune: PruneReport;
  readonly factorize: FactorizeReport;
  readonly deepen: DeepenReport;
  readonly combine: CombineReport;
}
export type ReportKind = keyof ReportKinds;
/** A document of any kind. */
export type AnyReport = ReportKinds[ReportKind];
/** A report of one model or pair, which has views other than JSON. */
export type Report = Exclude<AnyReport, SlimBatchReport>;

export const REPORT_SHAPES: { readonly [K in ReportKind]: Shape<ReportKinds[K]> } = {
  slim: SLIM_REPORT,
  'slim-batch': SLIM_BATCH,
  inspect: INSPECT_REPORT,
  profile: PROFILE_REPORT,
  compare: COMPARE_REPORT,
  eval: EVAL_REPORT,
  calibrate: CALIBRATE_REPORT,
  quantize: QUANTIZE_REPORT,
  prune: PRUNE_REPORT,
  factorize: FACTORIZE_REPORT,
  deepen: DEEPEN_REPORT,
  combine: COMBINE_REPORT,
};

/** JSON Schema of the documents of one kind. */
export function reportSchema(kind: ReportKind): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `mcompress-report-${kind}-v${REPORT_VERSION}`,
    title: `mcompress ${kind} report, version ${REPORT_VERSION}`,
    ...REPORT_SHAPES[kind].schema,
  };
}
