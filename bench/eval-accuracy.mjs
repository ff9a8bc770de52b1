// Bar: eval gives the accuracy that onnxruntime in Python gives on the same data: equal on lossless data, within ten images on JPEG.
//   npm run bench -- eval-accuracy [NAME...]
// Expected figures: README.md of the shared assets, measured in Python. Its JPEG files were decoded and resized by Pillow, here
// by sharp, which moves single images. What is missing (models, CIFAR-10, MNIST) is fetched by the scripts of the assets;
// the folders go into MCOMPRESS_MODELS and MCOMPRESS_DATA. Exits with 1 when the bar is missed, with 2 when nothing could run.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assets, bin, listModels, modelName, root } from './models.mjs';
import { formatTable } from './table.mjs';

const fetched = process.env.MCOMPRESS_DATA ?? join(root, '.cache/data');
const cifar1000 = { path: join(assets, 'cifar10/test_1000.bin.gz'), total: 1000, slack: 0 };
const cifar = { path: join(fetched, 'cifar10'), part: '#test', total: 10000, slack: 0 };
const mnist = { path: join(fetched, 'mnist'), part: '#test', total: 10000, slack: 0 };
const imagenet = { path: join(assets, 'images/imagenet-1000'), total: 1000, slack: 10 };
const wakeword = { path: join(assets, 'features/streaming-wakeword-45x30x1x40.f32'), total: 45, slack: 0 };

/** Model, data, preprocessing, right answers. */
const cases = [
  ['resnet20-cifar10', cifar1000, 'cifar10', 915],
  ['resnet20-cifar10', cifar, 'cifar10', 9173],
  ['resnet56-cifar10', cifar1000, 'cifar10', 926],
  ['resnet56-cifar10', cifar, 'cifar10', 9339],
  ['resnet8-cifar10', cifar1000, 'raw', 881],
  ['resnet8-cifar10', cifar, 'raw', 8719],
  ['resnet8-cifar10-int8-qdq', cifar1000, 'raw:mean=128/128/128', 877],
  ['googlenet-lrn-cifar10', cifar, 'cifar10', 8277],
  ['alexnet-lrn-cifar10', cifar, 'cifar10', 8331],
  ['mnist-cntk', mnist, 'raw', 9891],
  ['mnist-bn-as-exported', mnist, 'raw', 9920],
  ['squeezenet1.1-imagenet', imagenet, 'caffe', 605],
  ['mobilenetv2-imagenet', imagenet, 'imagenet', 821],
  ['streaming-wakeword-1d', wakeword, undefined, 41],
];

const models = new Map(listModels(process.argv.slice(2)).map((path) => [modelName(path), path]));
const rows = [['model', 'data', 'expected', 'eval', 'of', 'seconds', '']];
let missed = 0;
for (const [name, { path, part = '', total, slack }, preprocess, expected] of cases) {
  const model = models.get(name);
  if (model === undefined) continue;
  if (!existsSync(path)) {
    console.error(`${name}: left out, there is no ${path}`);
    continue;
  }
  const flags = preprocess === undefined ? [] : ['--preprocess', preprocess];
  const start = performance.now();
  const args = [bin, 'eval', model, '--data', path + part, ...flags, '--json'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  const top1 = stdout === '' ? undefined : JSON.parse(stdout).accuracy?.top1;
  if (!top1) console.error(stderr);
  const isMet = top1?.total === total && Math.abs(top1.count - expected) <= slack;
  if (!isMet) missed += 1;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  rows.push([
    name,
    path.split('/').at(-1) + part,
    expected,
    top1?.count ?? 'failed',
    total,
    seconds,
    isMet ? '' : 'MISSED',
  ]);
}
console.log(formatTable(rows));
process.exitCode = rows.length === 1 ? 2 : missed > 0 ? 1 : 0;
