// What a figure was made with: this program, Node.js, ONNX Runtime, the machine.
import { packageVersion } from '../base/version.js';
import { describeMachine, machineFingerprint, runtimeVersion } from '../runtime/machine.js';
import type { Machine, Versions } from './facts.js';

/** Versions, for every kind of report. */
export function programVersions(): Versions {
  return { mcompress: packageVersion(), node: process.versions.node, onnxruntime: runtimeVersion() };
}

/** Machine and versions, for reports that hold times. */
export function surroundings(): { readonly machine: Machine; readonly versions: Versions } {
  const machine = describeMachine();
  return {
    machine: {
      fingerprint: machineFingerprint(machine),
      cpu: machine.cpu,
      cores: machine.cores,
      memoryBytes: machine.memory,
      os: `${machine.os} ${machine.arch}`,
    },
    versions: programVersions(),
  };
}
