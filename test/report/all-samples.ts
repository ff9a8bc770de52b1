// The made-up reports of every kind, for what is to hold of all of them.
import type { Report } from '../../src/report/schema.js';
import { sampleCalibrate, sampleGuess, sampleMerged } from './calibrate-sample.js';
import { factorizedCombine, missedCombine, sampleCombine } from './combine-sample.js';
import { missedDeepen, sampleDeepen } from './deepen-sample.js';
import { sampleEval, sampleImageEval } from './eval-sample.js';
import { guessedFactorize, missedFactorize, sampleFactorize } from './factorize-sample.js';
import { sampleCompare, sampleInspect, sampleProfile } from './other-samples.js';
import { guessedPrune, missedPrune, samplePrune } from './prune-sample.js';
import { guessedQuantize, missedQuantize, sampleQuantize } from './quantize-sample.js';
import { sampleReport, troubledReport } from './sample.js';

export const ALL_SAMPLES: readonly (readonly [name: string, report: Report])[] = [
  ['slim', sampleReport()],
  ['troubled slim', troubledReport()],
  ['inspect', sampleInspect()],
  ['profile', sampleProfile()],
  ['compare', sampleCompare()],
  ['eval', sampleEval()],
  ['eval of 100 classes', sampleEval(100)],
  ['eval of images', sampleImageEval()],
  ['calibrate', sampleCalibrate()],
  ['calibrate without data', sampleGuess()],
  ['calibrate, merged', sampleMerged()],
  ['quantize', sampleQuantize()],
  ['quantize that missed gates', missedQuantize()],
  ['quantize without data', guessedQuantize()],
  ['prune', samplePrune()],
  ['prune that missed gates', missedPrune()],
  ['prune without data', guessedPrune()],
  ['factorize', sampleFactorize()],
  ['factorize that missed gates', missedFactorize()],
  ['factorize without data', guessedFactorize()],
  ['deepen', sampleDeepen()],
  ['deepen that missed gates', missedDeepen()],
  ['combine', sampleCombine()],
  ['combine of factors alone', factorizedCombine()],
  ['combine that missed gates', missedCombine()],
];
