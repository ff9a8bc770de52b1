// The graph that ONNX Runtime makes of a model while it loads it: what is fused, and what runs in which type.
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallOptions, RuntimeHost } from './host.js';
import type { ModelSource } from './model-source.js';
import type { SessionOptions } from './protocol.js';

export type OptimizedGraphOptions = Pick<SessionOptions, 'int8Activations'> & CallOptions;

/**
 * The optimized model as the bytes of an ONNX file. Level `extended`: everything is fused that will be, and names are still
 * those of the source (the layout of blocks, which comes after, renames). Nothing is run.
 * @throws what `RuntimeHost.describe` throws
 */
export function optimizedGraph(
  host: RuntimeHost,
  model: ModelSource,
  { int8Activations, ...call }: OptimizedGraphOptions = {},
): Promise<Uint8Array> {
  return host.exclusive(async (link) => {
    const path = join(link.folder(), `${randomUUID()}-optimized.onnx`);
    try {
      const opened = await link.open(model, {
        optimization: 'extended',
        arena: 'off',
        optimizedModelPath: path,
        ...(int8Activations === undefined ? {} : { int8Activations }),
      });
      await link.close(opened);
      return await readFile(path);
    } finally {
      await rm(path, { force: true });
    }
  }, call);
}
