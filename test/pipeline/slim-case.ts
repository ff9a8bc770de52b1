// Runs of `slim` in a folder of their own, on models written as IR text, and what ONNX Runtime says of the result.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseModel } from '../../src/ir/text/parse.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import type { ConfiguredPass } from '../../src/pipeline/configured-pass.js';
import { presetPasses } from '../../src/pipeline/recipe.js';
import { slim, type SlimOutcome, type SlimRequest } from '../../src/pipeline/slim.js';

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
}

/** The exact preset with `added` put in after its tenth pass, among the others. */
export function presetWith(...added: readonly ConfiguredPass[]): ConfiguredPass[] {
  return presetPasses('exact').toSpliced(10, 0, ...added);
}

export class SlimFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<SlimFolder> {
    return new SlimFolder(await mkdtemp(join(tmpdir(), 'mcompress-slim-test-')));
  }

  dispose(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Writes a model given as IR text; returns its path. */
  async model(name: string, text: string): Promise<string> {
    const path = this.file(name);
    await writeFile(path, Buffer.concat(encodeModel(undefined, parseModel(text))));
    return path;
  }

  /** A request that checks at the end and does not measure. */
  request(input: string, changes: Partial<SlimRequest> = {}): SlimRequest {
    return {
      input: { path: input },
      output: this.file(basename(input).replace(/\.onnx$/, '.slim.onnx')),
      recipe: { freeze: {}, opset: undefined, passes: presetPasses('exact') },
      verify: 'end',
      measure: 'off',
      seed: 0,
      threads: 1,
      shapes: new Map(),
      feeds: [],
      keepOverridable: false,
      externalData: 'auto',
      signal: new AbortController().signal,
      ...changes,
    };
  }

  /** Runs and publishes under the name asked for; returns the outcome and the written path. */
  async slim(request: SlimRequest): Promise<{ readonly outcome: SlimOutcome; readonly written: string }> {
    const outcome = await slim(request);
    const written = request.output ?? this.file('unnamed.onnx');
    await outcome.publish(written);
    await outcome.dispose();
    return { outcome, written };
  }
}

/** Operators of the main graph of a model file, in order. */
export async function operators(path: string): Promise<string[]> {
  return [...(await openModel(path)).model.graph.nodes()].map(({ opType }) => opType);
}
