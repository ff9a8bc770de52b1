// `mcompress eval MODEL --data PATH`: how good a model is on data, and what it lost against a reference.
import { basename } from 'node:path';
import { UsageError } from '../../base/errors.js';
import { evaluateModel, type EvaluateRequest } from '../../pipeline/evaluation/evaluate-model.js';
import { namedShapes } from '../../pipeline/freeze.js';
import { sizedInputs } from '../../pipeline/model-facts.js';
import { buildEvalReport } from '../../report/build-eval-report.js';
import { evalDocument } from '../../report/eval-document.js';
import { preparationText } from '../../report/sample-options.js';
import { dataRequest, openRequested } from '../data-flags.js';
import { FLAGS } from '../flags.js';
import { STDIO } from '../input-files.js';
import { withModelFile, type ModelFile } from '../model-input.js';
import { choiceOf, notNegative, wholeNumber } from '../parsed-flags.js';
import type { CommandRun } from '../program.js';
import { checkReportFiles, deliverReport } from '../report-output.js';
import { shapeFlags } from '../shape-flags.js';

export const runEval: CommandRun = async ({ args, flags, terminal, signal }) => {
  const [path = STDIO] = args;
  const { reference } = flags;
  if (path === STDIO && reference === STDIO)
    throw new UsageError('conflict', 'both models cannot come from stdin', { fix: 'name a file for one of them' });
  checkReportFiles(flags.report);
  const asked = dataRequest(flags);
  if (!asked)
    throw new UsageError('no-input', 'there is nothing to score the model on', {
      fix: 'say where the samples are: --data PATH',
    });
  const options = {
    limit: asked.limit,
    seed: wholeNumber('seed', flags.seed, 0),
    task: choiceOf('task', FLAGS.task.choices, flags.task, 'auto'),
    output: flags.scores,
    labelOffset: labelOffset(flags.labelOffset),
    maxDrop: flags.maxDrop === undefined ? undefined : notNegative('maxDrop', flags.maxDrop, 0),
    threads: wholeNumber('runThreads', flags.runThreads, 1, 1),
    signal,
    onStage: (text: string, progress?: string) => void terminal.progress(`${basename(path)}: ${text}`, progress),
  };
  const keepOverridable = flags.keepOverridable === true;
  return withModelFile(path, { keepOverridable }, (model) =>
    withReference(reference, { keepOverridable }, async (original) => {
      const shapes = namedShapes(model.decoded.model, shapeFlags('input', flags.input));
      const data = await openRequested(asked, sizedInputs(model.decoded.model, shapes), signal);
      const request: EvaluateRequest = {
        ...options,
        model,
        reference: original,
        data,
        onTask: (task) => task.kind === 'classify' && data.expectClasses(task.classes),
      };
      const outcome = await evaluateModel(request);
      const names = {
        model: basename(path),
        reference: reference === undefined ? undefined : basename(reference),
        preparation: preparationText(data),
      };
      const report = buildEvalReport(request, outcome, names);
      await deliverReport(report, evalDocument(report), { flags, terminal });
      return report.gate?.verdict === 'missed' ? 1 : 0;
    }),
  );
};

function withReference<T>(
  path: string | undefined,
  options: { readonly keepOverridable: boolean },
  use: (file: ModelFile | undefined) => Promise<T>,
): Promise<T> {
  return path === undefined ? use(undefined) : withModelFile(path, options, use);
}

/** A whole number, also below 0. @throws UsageError bad-value */
function labelOffset(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[+-]?\d{1,6}$/.test(text))
    throw new UsageError('bad-value', `--label-offset cannot be ${JSON.stringify(text)}`, {
      fix: 'give a whole number, such as 1 or -1',
    });
  return Number(text);
}
