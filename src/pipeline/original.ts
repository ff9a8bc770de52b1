// The model that a run was given: read, and never overwritten unasked.
import { writeFile } from 'node:fs/promises';
import { decodeModel, type DecodedModel } from '../onnx/decode.js';
import { openModel } from '../onnx/open.js';
import { guardReads } from './input-guard.js';
import type { RunRequest } from './run-request.js';
import type { Workspace } from './workspace.js';

/** What was given, as a file and decoded. */
export interface Original {
  readonly decoded: DecodedModel;
  readonly path: string;
}

/**
 * Reads the input of a run. Bytes that came from elsewhere are laid into the workspace.
 * @throws as `openModel`; UsageError would-overwrite where the output would replace the model or a file of its weights
 */
export async function readOriginal(request: RunRequest, workspace: Workspace): Promise<Original> {
  request.onStage?.('reading');
  const original = await read(request, workspace);
  guardOriginal(original, request);
  return original;
}

async function read({ input, keepOverridable }: RunRequest, workspace: Workspace): Promise<Original> {
  if ('path' in input) return { decoded: await openModel(input.path, { keepOverridable }), path: input.path };
  const path = workspace.path('stdin.onnx');
  await writeFile(path, input.bytes);
  return { decoded: decodeModel(input.bytes, { keepOverridable, path: input.name }), path };
}

function guardOriginal({ decoded }: Original, { input, output, overwrite }: RunRequest): void {
  if (output === undefined || overwrite === 'force') return;
  const reads = decoded.document.dataFiles.map((path) => ({ path, what: 'a file of weights of the input' }));
  if ('path' in input) reads.push({ path: input.path, what: 'the input' });
  guardReads(reads, [output, `${output}.data`]);
}
