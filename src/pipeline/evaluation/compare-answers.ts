// A candidate against a reference on the same samples, from what was kept of both; and the one figure of what was lost.
import { invariant } from '../../base/errors.js';
import type { Interval } from '../../runtime/statistics.js';
import type { Answers, OutputError, SampleAnswer } from './answers.js';
import {
  imagePeak,
  pairedDifference,
  peakSignalToNoise,
  relativeError,
  signalToNoise,
  wilson,
  type PairedDifference,
  type Proportion,
} from './statistics.js';

/** Accuracy of one model on the labelled samples. */
export interface Accuracy {
  readonly top1: Proportion;
  /** Undefined with five classes or fewer. */
  readonly top5: Proportion | undefined;
  /** Mean cross entropy, nats; undefined for quantized scores. */
  readonly crossEntropy: number | undefined;
}

/** One output against that of the reference. */
export interface OutputDifference {
  readonly name: string;
  /** Energy of the error relative to that of the reference, over all samples. */
  readonly relative: number;
  /** dB; infinite for equal. */
  readonly sqnr: number;
  /** Of images, dB: from the mean square error of all, and of the worst image; and the span it refers to. */
  readonly psnr: { readonly value: number; readonly least: number; readonly peak: number } | undefined;
  readonly broken: number;
  readonly worst: OutputError['worst'];
}

export interface Comparison {
  readonly samples: number;
  /** Where both models classify and the samples have labels. */
  readonly paired: PairedDifference | undefined;
  /** Same class as the reference; where both classify. */
  readonly agreement: Proportion | undefined;
  /** Empty where the candidate was scored without the reference. */
  readonly outputs: readonly OutputDifference[];
}

/** What a candidate loses: the figure that `--max-drop` limits. */
export interface Loss {
  readonly measure: 'top-1 lost' | 'top-1 disagreement' | 'relative error';
  /** Points are hundredths of the samples; percent is of the energy of the output. */
  readonly unit: 'points' | 'percent';
  /** Below 0 where the candidate is better; infinite where nothing can be compared. */
  readonly value: number;
  /** 95 %; undefined for errors, which are no sample of a proportion. */
  readonly interval: Interval | undefined;
  /** Of the McNemar test; undefined without labels. */
  readonly verdict: PairedDifference['verdict'] | undefined;
}

const isRight = ({ label, choice }: SampleAnswer): boolean => choice !== undefined && choice.predicted === label;
const isLabelled = ({ label, choice }: SampleAnswer): boolean => label !== undefined && choice !== undefined;

/** Accuracy over the samples with a label; undefined where there is none. */
export function accuracyOf({ samples, task }: Pick<Answers, 'samples' | 'task'>): Accuracy | undefined {
  const labelled = samples.filter(isLabelled);
  if (labelled.length === 0 || task.kind !== 'classify') return undefined;
  const among = labelled.filter(({ label, choice }) => label !== undefined && choice?.best.includes(label));
  const losses = labelled.flatMap(({ choice }) => choice?.loss ?? []);
  return {
    top1: wilson(labelled.filter(isRight).length, labelled.length),
    top5: task.classes > 5 ? wilson(among.length, labelled.length) : undefined,
    crossEntropy: losses.length === 0 ? undefined : losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
  };
}

/**
 * Compares answers to the same samples. The outputs of the candidate are compared where it was scored `against` the
 * reference.
 * @throws InternalError invariant when the samples are not the same
 */
export function compareAnswers(reference: Answers, candidate: Answers): Comparison {
  const pairs = reference.samples.map((before, at) => ({ before, after: candidate.samples[at] }));
  invariant(
    candidate.samples.length === pairs.length && pairs.every(({ before, after }) => before.name === after?.name),
    'answers to different samples cannot be compared',
  );
  const classified = pairs.filter(({ before, after }) => before.choice && after?.choice);
  const agreeing = classified.filter(({ before, after }) => before.choice?.predicted === after?.choice?.predicted);
  const labelled = classified.filter(({ before, after }) => isLabelled(before) && after && isLabelled(after));
  const lost = labelled.filter(({ before, after }) => isRight(before) && after && !isRight(after)).length;
  const gained = labelled.filter(({ before, after }) => !isRight(before) && after && isRight(after)).length;
  return {
    samples: pairs.length,
    paired: labelled.length === 0 ? undefined : pairedDifference(lost, gained, labelled.length),
    agreement: classified.length === 0 ? undefined : wilson(agreeing.length, classified.length),
    outputs: candidate.errors.map(outputDifference),
  };
}

function outputDifference({ name, squares, low, high, look, broken, worst, ...sums }: OutputError): OutputDifference {
  const peak = imagePeak(low, high);
  const mean = squares.reduce((sum, square) => sum + square, 0) / squares.length;
  const most = squares.reduce((worstSquare, square) => Math.max(worstSquare, square), 0);
  return {
    name,
    relative: relativeError(sums),
    sqnr: signalToNoise(sums),
    psnr:
      look === 'image' && peak > 0
        ? { value: peakSignalToNoise(mean, peak), least: peakSignalToNoise(most, peak), peak }
        : undefined,
    broken,
    worst,
  };
}

const POINTS = 100;
const scaled = ({ value, low, high }: Interval): Interval => ({
  value: value * POINTS,
  low: low * POINTS,
  high: high * POINTS,
});

/**
 * What is lost, by the same rule everywhere: labels and classes: top-1 lost; classes only: top-1 disagreement; else the
 * worst relative error of an output.
 */
export function lossOf({ paired, agreement, outputs }: Comparison): Loss {
  if (paired) {
    const interval = scaled(paired.drop);
    return { measure: 'top-1 lost', unit: 'points', value: interval.value, interval, verdict: paired.verdict };
  }
  if (agreement) {
    const { value, low, high } = agreement;
    const interval = scaled({ value: 1 - value, low: 1 - high, high: 1 - low });
    return { measure: 'top-1 disagreement', unit: 'points', value: interval.value, interval, verdict: undefined };
  }
  const value = outputs.reduce((worst, { relative }) => Math.max(worst, relative), outputs.length === 0 ? Infinity : 0);
  return { measure: 'relative error', unit: 'percent', value: value * POINTS, interval: undefined, verdict: undefined };
}
