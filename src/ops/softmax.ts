// Softmax and its like: the shape of the input. Until opset 13 they flatten at `axis` first, which changes no shape.
import { like } from './inputs.js';
import { defineOp, type OpRecord } from './record.js';

const softmax = (opType: string): OpRecord =>
  defineOp({ opType, traits: { layer: 'non-tensor' }, infer: (site) => [like(site)] });

export const SOFTMAX: readonly OpRecord[] = [softmax('Softmax'), softmax('LogSoftmax'), softmax('Hardmax')];
