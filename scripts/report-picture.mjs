// Makes docs/images/report.png, the picture in the README, from a real run: needs a Chromium on the path and a quiet
// machine. `node scripts/report-picture.mjs`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepare, root, runOrExit } from './prepare.mjs';

const browsers = ['chromium', 'chromium-browser', 'google-chrome'];
const size = '1120,820';
const picture = join(root, 'docs/images/report.png');

prepare();
const folder = mkdtempSync(join(tmpdir(), 'mcompress-picture-'));
try {
  const report = join(folder, 'report.html');
  const model = 'fixtures/mnist-bn-as-exported.onnx';
  const args = ['slim', model, '-o', join(folder, 'mnist.slim.onnx'), '--report', report];
  runOrExit(process.execPath, [join(root, 'bin/mcompress.js'), ...args]);
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', `--window-size=${size}`];
  const made = browsers.some(
    (browser) =>
      spawnSync(browser, [...flags, `--screenshot=${picture}`, pathToFileURL(report).href], { stdio: 'ignore' })
        .status === 0,
  );
  if (!made) throw new Error(`none of ${browsers.join(', ')} could take the picture`);
  console.error(`${picture}: ${statSync(picture).size} bytes`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
