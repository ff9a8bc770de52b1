// The journal of one run: of its model, its samples, its settings, on this machine with these versions.
import { packageVersion } from '../base/version.js';
import { describeMachine, machineFingerprint, runtimeVersion } from '../runtime/machine.js';
import { modelDigest } from './calibration/calibrate-model.js';
import type { Original } from './original.js';
import { journalKey, memoryJournal, openJournal, type Journal } from './quantization/journal.js';
import type { SampledRunRequest } from './run-request.js';

/** What a run finds rests on. */
export interface JournalOf {
  readonly original: Original;
  readonly samples: { digest(): Promise<string> };
  /** All that decides besides: plain data. */
  readonly settings: unknown;
}

/** The journal that the request names, else one that is kept nowhere. @throws as `openJournal` */
export async function openRunJournal(
  { journal: file, onStage }: SampledRunRequest,
  { original: { decoded, path }, samples, settings }: JournalOf,
): Promise<Journal> {
  if (file === undefined) return memoryJournal();
  onStage?.('reading the journal');
  const machine = [machineFingerprint(describeMachine()), runtimeVersion()];
  const model = await modelDigest(decoded, path);
  return openJournal(file, journalKey([packageVersion(), machine, model, await samples.digest(), settings]));
}
