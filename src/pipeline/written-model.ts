// A model file that was written into the workspace: its path, its size, and the way to its place.
import { basename, dirname, join } from 'node:path';
import type { DecodedModel } from '../onnx/decode.js';
import type { OnnxDocument } from '../onnx/document.js';
import { openModel } from '../onnx/open.js';
import { writeModel, type WrittenModel } from '../onnx/write.js';
import type { RunRequest } from './run-request.js';
import type { Workspace } from './workspace.js';

/** The model among the files that were written: its data file comes first. */
export const modelPath = ({ files }: WrittenModel): string => files.at(-1) ?? '';

/** Bytes of the tensors of a model as it was read that stand in other files. */
export function externalBytes({ hasExternalData, records }: OnnxDocument): number {
  if (!hasExternalData) return 0;
  return [...records.tensors].reduce((sum, [tensor, { isExternal }]) => sum + (isExternal ? tensor.byteLength : 0), 0);
}

export interface Publishing extends Pick<RunRequest, 'externalData'> {
  readonly workspace: Workspace;
  /** The model of a file; default: what is read of it. */
  readonly read?: (path: string) => Promise<DecodedModel>;
}

/**
 * Renames the files into place; under another name a model with external data is written anew, as it names its data file.
 * @throws InputError not-writable
 */
export async function publishModel(
  written: WrittenModel,
  to: string,
  { workspace, externalData, read = openModel }: Publishing,
): Promise<void> {
  const from = modelPath(written);
  if (written.externalBytes > 0 && basename(to) !== basename(from)) {
    const { document, model } = await read(from);
    await writeModel(document, model, to, { externalData });
    return;
  }
  await workspace.publish(
    written.files.map((file) => ({
      from: file,
      to: join(dirname(to), basename(file).replace(basename(from), basename(to))),
    })),
  );
}
