// What is needed to see a defect again: the graph just before it, a recipe, and the command.
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Model } from '../ir/model.js';
import type { OnnxDocument } from '../onnx/document.js';
import { writeModel } from '../onnx/write.js';
import type { ConfiguredPass } from './configured-pass.js';
import { recipeDocument } from './recipe.js';
import { rewriteKey } from './rewrite-log.js';
import type { Undone } from './transaction.js';

/** What of a run decides whether a defect shows. */
export interface ReproducerSettings {
  /** Path of the output of the run; folders stand beside it. None is written where there is no output. */
  readonly output: string | undefined;
  readonly seed: number;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly feeds: readonly string[];
  readonly keepOverridable: boolean;
}

/** A defect with what led to it. */
interface Defect {
  readonly title: string;
  readonly reason: string;
  readonly passes: readonly ConfiguredPass[];
}

/** The reproducers of one run. The same wrong rewrite, met again when passes run again, is kept once. */
export class Reproducers {
  readonly #settings: ReproducerSettings;
  readonly #folders = new Map<string, string>();

  constructor(settings: ReproducerSettings) {
    this.#settings = settings;
  }

  /** The folder in which a wrong rewrite was kept. */
  folderOf({ rewrite }: Undone): string | undefined {
    return this.#folders.get(rewriteKey(rewrite.pass, rewrite.site));
  }

  /** Keeps a wrong rewrite of one of `passes`; `model` stands just before it. @throws InputError not-writable */
  async keepRewrite(
    document: OnnxDocument,
    model: Model,
    undone: Undone,
    passes: readonly ConfiguredPass[],
  ): Promise<void> {
    const { rewrite, check } = undone;
    if (this.#settings.output === undefined || this.folderOf(undone) !== undefined) return;
    const folder = `${this.#settings.output}.reproducer-${this.#folders.size + 1}`;
    await this.#write(folder, document, model, {
      title: `${rewrite.pass} was wrong at ${rewrite.site}`,
      reason: check.reason ?? 'the outputs differ',
      passes: passes.filter(({ pass }) => pass.name === rewrite.pass),
    });
    this.#folders.set(rewriteKey(rewrite.pass, rewrite.site), folder);
  }

  /** Keeps a run of `passes` over `model` that ended in an error. Returns the folder, if there is an output. */
  async keepFailure(
    document: OnnxDocument,
    model: Model,
    error: Error,
    passes: readonly ConfiguredPass[],
  ): Promise<string | undefined> {
    const { output } = this.#settings;
    if (output === undefined) return undefined;
    const folder = `${output}.reproducer-0`;
    await this.#write(folder, document, model, {
      title: 'the run ended in an internal error',
      reason: error.message,
      passes,
    });
    return folder;
  }

  async #write(folder: string, document: OnnxDocument, model: Model, defect: Defect): Promise<void> {
    await mkdir(folder, { recursive: true });
    await writeModel(document, model, join(folder, 'before.onnx'), { externalData: 'auto' });
    const recipe = recipeDocument({ freeze: {}, opset: undefined, passes: defect.passes });
    await writeFile(join(folder, 'recipe.json'), `${JSON.stringify(recipe, undefined, 2)}\n`);
    const command = ['mcompress', 'slim', 'before.onnx', '--recipe', 'recipe.json', ...(await this.#flags(folder))];
    const text = [`# ${defect.title}`, '', defect.reason, '', '```', command.map(quoted).join(' '), '```', ''];
    await writeFile(join(folder, 'README.md'), text.join('\n'));
  }

  /** Flags under which the defect showed. Files with feeds are copied to `folder`. */
  async #flags(folder: string): Promise<string[]> {
    const { seed, shapes, feeds, keepOverridable } = this.#settings;
    const flags = ['--seed', String(seed), '--strict', '--no-profile'];
    for (const [name, shape] of shapes) flags.push('--input', `${name === '' ? '' : `${name}:`}${shape.join('x')}`);
    for (const [index, feed] of feeds.entries()) flags.push('--feed', await copiedFeed(feed, folder, index));
    if (keepOverridable) flags.push('--keep-overridable');
    return flags;
  }
}

/** The text of `--feed` with its file, if it names one, beside the reproducer. */
async function copiedFeed(feed: string, folder: string, index: number): Promise<string> {
  const start = feed.endsWith('.npz') ? 0 : feed.endsWith('.npy') ? feed.indexOf('=') + 1 : undefined;
  if (start === undefined) return feed;
  const file = feed.slice(start);
  const copy = `feed-${index}-${basename(file)}`;
  await copyFile(file, join(folder, copy));
  return `${feed.slice(0, start)}${copy}`;
}

/** A word as shells read it. */
function quoted(word: string): string {
  return /^[\w.,:=/-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
