// A quantization run in a process of its own, to be killed: `FOLDER` holds net.onnx; the journal and the result go there.
// Bundled by killed.test.ts, since Node 20 cannot run TypeScript.
import { join } from 'node:path';
import { quantizeFile } from '../../../src/pipeline/quantization/quantize-file.js';
import { netData, requestFor } from './net.js';

const [folder = '.', maxDrop = '0', output = 'out.onnx', journal = 'journal.jsonl'] = process.argv.slice(2);
const outcome = await quantizeFile(
  requestFor(join(folder, 'net.onnx'), {
    output: join(folder, output),
    openData: () => Promise.resolve(netData(60)),
    maxDrop: Number(maxDrop),
    journal: join(folder, journal),
    measure: 'on',
    timingMs: 400,
  }),
);
await outcome.publish(join(folder, output));
await outcome.dispose();
