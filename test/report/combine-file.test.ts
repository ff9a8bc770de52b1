// The choice among all passes as a call: what is refused before anything is read.
import { describe, expect, it } from 'vitest';
import { combineFile, type CombineFileOptions } from '../../src/report/combine-file.js';

describe('a call that makes no sense', () => {
  it.each<[string, Partial<CombineFileOptions>, string, RegExp]>([
    ['an effort without a unit', { settings: { effort: '90' as '90s' } }, 'bad-value', /"combine.effort" is "90"/],
    ['a part that is none', { settings: { macs: '1.5x' } }, 'bad-value', /"combine.macs"/],
    ['a kind that is none', { settings: { kinds: ['int4' as 'int8'] } }, 'bad-value', /"combine.kinds"/],
    ['another run', { recipe: { prune: {} } }, 'conflict', /asks for "prune"/],
    ['both', { recipe: { combine: {}, quantize: {} } }, 'conflict', /both "combine" and "quantize"/],
  ])('is refused: %s', async (_, options, code, message) => {
    const call = combineFile('no-such-model.onnx', { samples: { path: 'no-such-data' }, ...options });
    await expect(call).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('reads the model where all makes sense', async () => {
    const call = combineFile('no-such-model.onnx', {
      samples: { path: 'no-such-data' },
      settings: { kinds: [], classes: [], effort: '1s' },
    });
    await expect(call).rejects.toMatchObject({ code: 'not-found' });
  });
});
