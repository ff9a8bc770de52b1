// A model from a path or standard input.
import { InputError } from '../base/errors.js';
import { decodeModel, type DecodedModel } from '../onnx/decode.js';
import { openModel } from '../onnx/open.js';
import { STDIO } from './input-files.js';

/** All bytes of standard input. @throws InputError not-onnx when there are none */
export async function readStdin(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  if (bytes.length === 0)
    throw new InputError('not-onnx', 'standard input is empty', { fix: 'pipe a model into it, or name a file' });
  return bytes;
}

/** Opens the model of a command. @throws InputError as `decodeModel` and `openModel` */
export async function readModel(path: string, options: { readonly keepOverridable: boolean }): Promise<DecodedModel> {
  if (path !== STDIO) return openModel(path, options);
  return decodeModel(await readStdin(), { ...options, path: 'stdin' });
}
