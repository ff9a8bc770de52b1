// `mcompress print MODEL`: the model as text.
import { printModel } from '../../ir/text/print.js';
import { readModel } from '../model-input.js';
import type { CommandRun } from '../program.js';

export const runPrint: CommandRun = async ({ args, flags, terminal }) => {
  const { model } = await readModel(args[0] ?? '-', { keepOverridable: false });
  const text = printModel(model, { weights: flags.weights ? 'full' : 'brief' });
  await terminal.write(flags.json ? `${JSON.stringify({ version: 1, kind: 'text', text }, undefined, 2)}\n` : text);
  return 0;
};
