// Recurrent layers. X is [sequence, batch, input] (layout 1: [batch, sequence, input]); W is [directions, gates x hidden,
// input], R is [directions, gates x hidden, hidden]. MACs: sequence x batch x elements of W and R.
import { addDims, floorDivDims, mulDims, productOf, type Dim } from '../ir/dim.js';
import { dtypeOf, shapeOf, type Dims } from './inputs.js';
import { defineOp, type OpRecord, type OpSite, type ValueInfo } from './record.js';

function hiddenSize(site: OpSite, gates: number): Dim {
  const given = site.node.int('hidden_size', 0);
  const rows = shapeOf(site, 1)?.[1];
  return given > 0 ? given : rows === undefined ? site.unknownDim() : floorDivDims(rows, gates);
}

/** Y [sequence, directions, batch, hidden], then the last states [directions, batch, hidden]; layout 1 puts batch first. */
function recurrent(opType: string, gates: number, states: number): OpRecord {
  return defineOp({
    opType,
    traits: { layer: 'tensor' },
    infer: (site) => {
      const dtype = dtypeOf(site, 0);
      const unknown = Array.from({ length: states + 1 }, (): ValueInfo => ({ dtype }));
      const [first, second] = shapeOf(site, 0) ?? [];
      if (first === undefined || second === undefined) return unknown;
      const hidden = hiddenSize(site, gates);
      const directions = site.node.string('direction', 'forward') === 'bidirectional' ? 2 : 1;
      const batchFirst = site.node.int('layout', 0) === 1;
      const all: Dims = batchFirst ? [first, second, directions, hidden] : [first, directions, second, hidden];
      const last: Dims = batchFirst ? [first, directions, hidden] : [directions, second, hidden];
      return [{ dtype, shape: all }, ...Array.from({ length: states }, (): ValueInfo => ({ dtype, shape: last }))];
    },
    macs: (site) => {
      const [data, input, recurrence] = [shapeOf(site, 0), shapeOf(site, 1), shapeOf(site, 2)];
      return (
        data &&
        input &&
        recurrence &&
        mulDims(productOf(data.slice(0, 2)), addDims(productOf(input), productOf(recurrence)))
      );
    },
  });
}

export const RECURRENT: readonly OpRecord[] = [recurrent('LSTM', 4, 2), recurrent('GRU', 3, 1), recurrent('RNN', 1, 1)];
