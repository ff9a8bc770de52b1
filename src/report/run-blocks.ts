// Where and how a report was made, in the words that all documents share.
import type { Block } from './document.js';
import { figure, plural } from './format.js';
import type { SlimReport } from './report.js';

/** The machine and the versions, as rows of a facts block. */
export function machineFacts({
  machine,
  versions,
}: Pick<SlimReport, 'machine' | 'versions'>): readonly (readonly [string, string])[] {
  const { cpu, cores, memoryBytes, os } = machine;
  return [
    ['machine', `${cpu}, ${plural(cores, 'core')}, ${figure(memoryBytes, 'bytes')}, ${os}`],
    ['versions', `mcompress ${versions.mcompress}, ONNX Runtime ${versions.onnxruntime}, Node ${versions.node}`],
  ];
}

/** The command and the recipe that give the same again. */
export function recipeBlocks({ commandLine, document }: SlimReport['recipe']): readonly Block[] {
  return [
    { kind: 'code', caption: 'The same again', language: 'sh', text: commandLine },
    {
      kind: 'code',
      caption: 'The recipe, for --recipe',
      language: 'json',
      text: JSON.stringify(document, undefined, 2),
    },
  ];
}
