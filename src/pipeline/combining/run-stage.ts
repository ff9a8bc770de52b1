// One kind of change on one model: the run that its own command would be, on what it may see, and what came of it.
import { AppError, InterruptError, UsageError } from '../../base/errors.js';
import { openModel } from '../../onnx/open.js';
import { writeModel } from '../../onnx/write.js';
import { deepenFile } from '../deepening/deepen-file.js';
import { factorizeFile } from '../factorizing/factorize-file.js';
import { pruneFile } from '../pruning/prune-file.js';
import { quantizeFile } from '../quantization/quantize-file.js';
import type { SampledRunOutcome } from '../run-outcome.js';
import { tidied } from '../slimmed-start.js';
import type { CombineRun } from './combine-run.js';
import type { ExploredModel, IdleReason, StageRun } from './outcome.js';
import type { ChangeKind } from './settings.js';
import { deepenRequest, factorizeRequest, int8Request, int8Target, pruneRequest, type Asked } from './stage-request.js';
import type { Variant } from './variant.js';

/** What a run gave: a model, or a reason why there is none; and the models that it looked at. */
export interface StageFound {
  readonly made:
    { readonly raw: string; readonly path: string; readonly what: string; readonly run: StageRun } | undefined;
  readonly reason: IdleReason;
  readonly message: string | undefined;
  readonly explored: readonly ExploredModel[];
}

/** What a run is told. */
export type StageOrder = Pick<Asked, 'name' | 'limit' | 'best' | 'until'>;

const idle = (reason: IdleReason, message?: string): StageFound => ({ made: undefined, reason, message, explored: [] });

/** Runs one kind of change on a variant. A model that the run refuses is no error here. @throws InterruptError, UsageError */
export async function runStage(
  run: CombineRun,
  { kind, on }: { readonly kind: ChangeKind; readonly on: Variant },
  order: StageOrder,
): Promise<StageFound> {
  const place = order.name.replaceAll(/[^\w]+/g, '-');
  // Integers come behind everything: they are made of what would be published.
  const input = kind === 'int8' ? on.path : on.raw;
  const asked: Asked = { ...order, input, output: run.workspace.path(`${place}/model.onnx`) };
  try {
    return await STAGES[kind](run, asked, on);
  } catch (error) {
    if (!(error instanceof AppError) || error instanceof InterruptError || error instanceof UsageError) throw error;
    return idle('unsupported', error.message);
  }
}

type StageOf = (run: CombineRun, asked: Asked, on: Variant) => Promise<StageFound>;

/** How each kind is run. */
const STAGES: Readonly<Record<ChangeKind, StageOf>> = {
  deepen: async (run, asked, on) => {
    const request = deepenRequest(run, asked);
    return settled(asked, await deepenFile(request), async (outcome) => {
      const taken = outcome.blocks.filter(({ reason }) => reason === undefined).length;
      const of = new Set(outcome.blocks.map(({ block }) => block)).size;
      const explored = exploredOf(asked, on, outcome.steps);
      if (outcome.kept === 'original') return { ...idle('nothing', firstReason(outcome.blocks)), explored };
      const raw = await copied(run, outcome.base, `${asked.output}.raw.onnx`);
      return made(
        { raw, path: asked.output, what: `${taken} of ${of} blocks replaced`, explored },
        { kind: 'deepen', request, outcome },
      );
    });
  },
  factorize: async (run, asked, on) => {
    const request = factorizeRequest(run, asked);
    return settled(asked, await factorizeFile(request), async (outcome) => {
      const chains = outcome.layers.filter(({ reason }) => reason === undefined).length;
      const what = `${chains} of ${outcome.layers.length} layers factorized`;
      const explored = exploredOf(asked, on, outcome.steps);
      if (outcome.kept === 'original') return { ...idle('nothing', firstReason(outcome.layers)), explored };
      const raw = await copied(run, outcome.base, `${asked.output}.raw.onnx`);
      return made({ raw, path: asked.output, what, explored }, { kind: 'factorize', request, outcome });
    });
  },
  prune: async (run, asked, on) => {
    const request = pruneRequest(run, asked);
    return settled(asked, await pruneFile(request), async (outcome) => {
      const narrowed = outcome.groups.filter(({ reason }) => reason === undefined).length;
      const what = `${narrowed} of ${outcome.groups.length} groups of channels narrowed`;
      const explored = exploredOf(asked, on, outcome.steps);
      if (outcome.kept === 'original') return { ...idle('nothing', firstReason(outcome.groups)), explored };
      const path = await finished(run, asked.output);
      return made({ raw: asked.output, path, what, explored }, { kind: 'prune', request, outcome });
    });
  },
  int8: async (run, asked, on) => {
    const target = int8Target();
    if (target === undefined) return idle('not-here');
    const request = int8Request(run, asked, target);
    return settled(asked, await quantizeFile(request), async (outcome) => {
      const whole = outcome.nodes.filter(({ form }) => form === 'int8').length;
      const what = `${whole} of ${outcome.nodes.length} nodes on integers`;
      const explored = exploredOf(asked, on, outcome.steps);
      if (outcome.kept === 'original') return { ...idle('nothing', firstReason(outcome.nodes)), explored };
      return made({ raw: asked.output, path: asked.output, what, explored }, { kind: 'int8', request, outcome });
    });
  },
};

const made = (
  {
    explored,
    ...files
  }: { readonly raw: string; readonly path: string; readonly what: string } & Pick<StageFound, 'explored'>,
  run: StageRun,
): StageFound => ({ made: { ...files, run }, reason: 'nothing', message: undefined, explored });

/** Lays the result of a run into its place, and removes what else it left. */
async function settled<O extends SampledRunOutcome & { readonly kept: string }>(
  { output }: Asked,
  outcome: O,
  what: (outcome: O) => Promise<StageFound>,
): Promise<StageFound> {
  try {
    if (outcome.kept !== 'original') await outcome.publish(output);
    return await what(outcome);
  } finally {
    await outcome.dispose();
  }
}

/** The reason that most of what stayed has. */
function firstReason(all: readonly { readonly reason: string | undefined }[]): string | undefined {
  const reasons = all.flatMap(({ reason }) => reason ?? []);
  const counts = [...new Set(reasons)].map(
    (reason) => [reason, reasons.filter((one) => one === reason).length] as const,
  );
  return counts.toSorted((a, b) => b[1] - a[1])[0]?.[0];
}

interface JudgedStep {
  readonly name?: string;
  readonly loss: ExploredModel['loss'];
  readonly latencyRatio: number | undefined;
}

/** What a run judged: its times are against its own input. */
const exploredOf = ({ name, input }: Asked, on: Variant, steps: readonly JudgedStep[]): ExploredModel[] =>
  steps.flatMap(({ latencyRatio, loss, name: step }, at) =>
    latencyRatio === undefined
      ? []
      : [
          {
            label: `${name}, ${step ?? `try ${at + 1}`}`,
            latencyRatio: latencyRatio * (input === on.path ? on.step.latencyRatio : on.rawRatio),
            loss,
          },
        ],
  );

async function copied({ request }: CombineRun, from: string, to: string): Promise<string> {
  const { document, model } = await openModel(from, { keepOverridable: request.keepOverridable });
  await writeModel(document, model, to, { externalData: 'auto' });
  return to;
}

/** A model after the passes that belong behind all else. */
function finished({ request, workspace, shapes, last }: CombineRun, path: string): Promise<string> {
  return last.length === 0 ? Promise.resolve(path) : tidied({ request, workspace, shapes, last }, path, path);
}
