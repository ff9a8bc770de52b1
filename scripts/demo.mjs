// `npm run demo`: sets the checkout up, then slims a real model from fixtures/ into a temporary folder and shows the report.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare, root, runOrExit } from './prepare.mjs';

prepare();
const folder = mkdtempSync(join(tmpdir(), 'mcompress-demo-'));
const output = join(folder, 'mnist-bn-as-exported.slim.onnx');
const args = ['slim', 'fixtures/mnist-bn-as-exported.onnx', '-o', output];
console.error(`$ mcompress ${args.join(' ')}\n`);
runOrExit(process.execPath, [join(root, 'bin/mcompress.js'), ...args]);
console.error(`\nThe slimmed model and its reports are in ${folder}`);
