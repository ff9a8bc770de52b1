// The machine that figures were measured on, as a report may show it: no host name, no user, no paths.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';

/** Threads for work whose time is not measured. */
export const BUSY_THREADS = Math.min(8, availableParallelism());

export interface Machine {
  /** As the system names it, such as `AMD EPYC 7B13`; `unknown` where it does not. */
  readonly cpu: string;
  /** Processors that this process may use. */
  readonly cores: number;
  /** Bytes of memory. */
  readonly memory: number;
  /** `linux`, `darwin`, `win32`; and its release. */
  readonly os: string;
  readonly arch: string;
  readonly node: string;
  readonly onnxruntime: string;
}

/** This machine. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.replace(/\s+/g, ' ').trim() || 'unknown',
    cores: availableParallelism(),
    memory: totalmem(),
    os: `${platform()} ${release()}`,
    arch: arch(),
    node: process.versions.node,
    onnxruntime: runtimeVersion(),
  };
}

/** Version of onnxruntime-node, without loading it. */
export function runtimeVersion(): string {
  const manifest = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  return manifest.version;
}

/** What decides how fast a layer runs here, apart from the runtime and its threads: equal for equal machines. */
export function machineFingerprint({ cpu, cores, arch: architecture, os }: Machine): string {
  return createHash('sha256')
    .update([cpu, cores, architecture, os.split(' ')[0]].join('|'))
    .digest('hex')
    .slice(0, 16);
}

/** The kernels for 8-bit integers that ONNX Runtime has here, as far as can be told; undefined where it cannot. */
export type InstructionSet = 'x64-vnni' | 'x64-avx2' | 'arm64';

/** Of this machine; on x86 only Linux tells. */
export function instructionSet(): InstructionSet | undefined {
  if (arch() === 'arm64') return 'arm64';
  if (arch() !== 'x64' || platform() !== 'linux') return undefined;
  return instructionSetOf(readFlags());
}

/** From the flags of /proc/cpuinfo. */
export function instructionSetOf(flags: ReadonlySet<string>): InstructionSet | undefined {
  if (flags.has('avx512_vnni') || flags.has('avx_vnni')) return 'x64-vnni';
  return flags.has('avx2') ? 'x64-avx2' : undefined;
}

/** Channels that convolutions in float take at a time here; 16 where that cannot be told. */
export function convolutionBlock(flags: ReadonlySet<string> = readFlags()): 16 | 8 {
  return flags.has('avx2') && !flags.has('avx512f') ? 8 : 16;
}

function readFlags(): ReadonlySet<string> {
  try {
    const line = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
    return new Set(line.trim().split(/\s+/));
  } catch {
    return new Set();
  }
}
