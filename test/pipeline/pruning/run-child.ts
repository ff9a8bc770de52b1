// A pruning run in a process of its own, to be killed: `FOLDER` holds the journal and the result.
// Bundled by killed.test.ts, since Node 20 cannot run TypeScript.
import { join } from 'node:path';
import { pruneFile } from '../../../src/pipeline/pruning/prune-file.js';
import { netData } from '../quantization/net.js';
import { pruneRequest } from './run.js';

const [folder = '.', output = 'out.onnx', journal = 'journal.jsonl'] = process.argv.slice(2);
const outcome = await pruneFile(
  pruneRequest(join(folder, 'net.onnx'), join(folder, output), {
    openData: () => Promise.resolve(netData(60)),
    journal: join(folder, journal),
    settings: { schedule: 'dropnet', score: 'obs', share: 0.1, kappa: 0.75, samples: 20 },
  }),
);
await outcome.publish(join(folder, output));
await outcome.dispose();
