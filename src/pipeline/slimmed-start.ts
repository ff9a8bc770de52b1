// The exact passes in a run that changes a model on samples: before anything else, and over what comes out.
import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { openModel } from '../onnx/open.js';
import { writeModel } from '../onnx/write.js';
import type { Original } from './original.js';
import type { ConfiguredPass } from './configured-pass.js';
import { matchingPreset } from './recipe.js';
import type { SampledRunRequest } from './run-request.js';
import { slim, type SlimOutcome, type Verify } from './slim.js';
import type { Workspace } from './workspace.js';

/** The lowest operator set in which what is done later can be checked. */
const LEAST_OPSET = 7;
const RAISED_OPSET = 13;

type Shapes = ReadonlyMap<string, readonly number[]>;

export interface SlimmedStart {
  /** Whoever asked for it disposes of it. */
  readonly slimmed: SlimOutcome;
  readonly warnings: readonly string[];
}

/** Whether a pass belongs behind all that changes layers. */
export const isLast = ({ pass }: ConfiguredPass): boolean => pass.place === 'last';

/**
 * The model after the passes of the recipe, without those that belong behind all else; its operator set is raised where it is very old.
 * @throws as `slim`
 */
export async function slimStart(
  request: SampledRunRequest,
  { decoded, path }: Original,
  shapes: Shapes,
): Promise<SlimmedStart> {
  const { seed, threads, keepOverridable, externalData, signal, onStage, compression } = request;
  const recipe = { ...request.recipe, passes: request.recipe.passes.filter((one) => !isLast(one)) };
  const isOld = (recipe.opset ?? decoded.model.opset) < LEAST_OPSET;
  const slimmed = await slim({
    input: { path },
    output: undefined,
    recipe: isOld ? { ...recipe, opset: RAISED_OPSET } : recipe,
    verify: 'end',
    measure: 'off',
    compression: compression ?? 'measure',
    ...{ seed, threads, shapes, feeds: [], keepOverridable, externalData, signal },
    ...(onStage ? { onStage } : {}),
  });
  const { verdict, reason, warnings } = slimmed.checked;
  const unverified = `the slimmed model could not be checked: ${reason ?? 'no feeds'}`;
  return { slimmed, warnings: [...(verdict === 'unverified' ? [unverified] : []), ...warnings] };
}

interface TidyRun {
  readonly request: SampledRunRequest;
  readonly shapes: Shapes;
  readonly workspace: Workspace;
  /** Passes that belong behind all else. */
  readonly last?: readonly ConfiguredPass[];
  /** Whether what the passes do is checked; default `end`. */
  readonly verify?: Verify;
}

/**
 * The model in `path` after the exact passes, where the recipe has them, and those that belong behind all else; `path` itself where there
 * are none. @throws as `slim`
 */
export async function tidied(
  { request, shapes, workspace, last = [], verify = 'end' }: TidyRun,
  path: string,
  name: string,
): Promise<string> {
  const own = request.recipe.passes.filter((one) => !isLast(one));
  const passes = [...(matchingPreset(own) === 'exact' ? own : []), ...last];
  if (passes.length === 0) return path;
  request.onStage?.('tidying up');
  const { seed, threads, keepOverridable, externalData, signal } = request;
  const slimmed = await slim({
    input: { path },
    output: undefined,
    recipe: { freeze: {}, opset: undefined, passes },
    verify,
    measure: 'off',
    compression: 'skip',
    ...{ seed, threads, shapes, feeds: [], keepOverridable, externalData, signal },
  });
  try {
    const { document, model } = await openModel(slimmed.path, { keepOverridable });
    const to = join(await mkdtemp(workspace.path('candidate-')), basename(name));
    await writeModel(document, model, to, { externalData });
    return to;
  } finally {
    await slimmed.dispose();
  }
}
