// Channel groups of real models: how many there are and how wide, worked out from the architectures; and what holds of the
// groups of any model. Models beside the repository are skipped by name where they are not there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ChannelGroup } from '../../src/analysis/channel-group.js';
import { createFacts } from '../../src/analysis/inference.js';
import { findChannelGroups } from '../../src/analysis/channels.js';
import type { Value } from '../../src/ir/value.js';
import { openModel } from '../../src/onnx/open.js';
import { ASSET_MODELS } from '../asset-models.js';
import { assetFolder } from '../onnx/model-files.js';

const FOLDERS = [assetFolder, ...(process.env['MCOMPRESS_MODELS']?.split(':') ?? [])];
const pathOf = (name: string): string | undefined =>
  FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));

async function groupsOf(name: string): Promise<readonly ChannelGroup[]> {
  const { model } = await openModel(pathOf(name) ?? name, { keepOverridable: false });
  return findChannelGroups(model, createFacts(model));
}

/** Width and number of layers that make the units, of the groups that can be pruned. */
const sizes = (groups: readonly ChannelGroup[]): string[] =>
  groups.filter(({ frozen }) => !frozen).map(({ width, makers }) => `${width}x${makers.length}`);

const frozen = (groups: readonly ChannelGroup[]): (string | undefined)[] =>
  groups.flatMap((group) => group.frozen?.code ?? []);

const times = <T>(count: number, one: T): T[] => Array<T>(count).fill(one);

interface Expected {
  readonly open: readonly string[];
  readonly frozen: readonly string[];
}

/** Stages of blocks with padded shortcuts: what a stage adds runs through all later ones. */
function cifarResNet(blocks: number): Expected {
  const inner = (width: number): string[] => times(blocks, `${width}x1`);
  return {
    open: [`16x${3 * blocks + 1}`, ...inner(16), ...inner(32), `16x${2 * blocks}`, ...inner(64), `32x${blocks}`],
    frozen: ['graph-output'],
  };
}

/** Width of the squeezing layer, then twice that of both expanding ones. */
const fire = (squeeze: number, expand: number): string[] => [`${squeeze}x1`, `${expand}x1`, `${expand}x1`];

/** The branches 1x1, 3x3 after 1x1, 5x5 after 1x1, 1x1 after a pool. */
const inception = (...widths: number[]): string[] => widths.map((width) => `${width}x1`);

/** Expansions of the blocks, and the sums of a stage of `count` blocks with this many channels. */
const inverted = (width: number, expansions: readonly number[]): string[] => [
  `${width}x${expansions.length}`,
  ...expansions.map((expansion) => `${expansion}x1`),
];

const EXPECTED: Readonly<Record<string, Expected>> = {
  'resnet20-cifar10.onnx': cifarResNet(3),
  'resnet56-cifar10.onnx': cifarResNet(9),
  'squeezenet1.1-imagenet.onnx': {
    open: [
      '64x1',
      ...[fire(16, 64), fire(16, 64), fire(32, 128), fire(32, 128)].flat(),
      ...[fire(48, 192), fire(48, 192), fire(64, 256), fire(64, 256)].flat(),
    ],
    frozen: ['mixes-channels'],
  },
  'googlenet-lrn-cifar10.onnx': {
    open: [
      '32x1',
      ...inception(16, 24, 32, 8, 8, 8),
      ...inception(32, 32, 48, 8, 24, 16),
      ...inception(48, 24, 56, 8, 16, 16),
      ...inception(40, 28, 56, 8, 16, 16),
      ...inception(32, 32, 64, 8, 16, 16),
      ...inception(32, 36, 72, 8, 16, 16),
      ...inception(64, 40, 80, 8, 32, 32),
      ...inception(64, 40, 80, 8, 32, 32),
      ...inception(96, 48, 96, 12, 32, 32),
    ],
    // Both layers in front of a normalization across channels.
    frozen: ['mixes-channels', 'mixes-channels', 'graph-output'],
  },
  'mobilenetv2-imagenet.onnx': {
    open: [
      ...['32x1', '16x1'],
      ...inverted(24, [96, 144]),
      ...inverted(32, [144, 192, 192]),
      ...inverted(64, [192, 384, 384, 384]),
      ...inverted(96, [384, 576, 576]),
      ...inverted(160, [576, 960, 960]),
      ...inverted(320, [960]),
      '1280x1',
    ],
    frozen: ['graph-output'],
  },
  'resnet8-cifar10.onnx': { open: ['16x2', '16x1', '32x2', '32x1', '64x2', '64x1'], frozen: ['mixes-channels'] },
};

describe('groups of known architectures', () => {
  for (const [name, expected] of Object.entries(EXPECTED))
    it.skipIf(pathOf(name) === undefined)(`${name}`, async () => {
      const groups = await groupsOf(name);
      expect(sizes(groups).sort()).toEqual([...expected.open].sort());
      expect(frozen(groups)).toEqual(expected.frozen);
    });

  it.skipIf(pathOf('ultraface-rfb-320.onnx') === undefined)('ultraface-rfb-320.onnx', async () => {
    const groups = await groupsOf('ultraface-rfb-320.onnx');
    // Boxes and scores at four scales are returned; every other layer that is not depthwise can be narrowed.
    expect(frozen(groups)).toEqual(times(8, 'mixes-channels'));
    expect(groups.length).toBe(33);
    expect(sizes(groups).filter((size) => !size.endsWith('x1'))).toEqual(['64x2']);
  });

  it.skipIf(pathOf('ppocrv4-det.onnx') === undefined)('ppocrv4-det.onnx', async () => {
    const groups = await groupsOf('ppocrv4-det.onnx');
    // The map that is returned has one channel. Squeeze-and-excitation doubles the layers that make a group.
    expect(frozen(groups)).toEqual([]);
    expect(sizes(groups).filter((size) => size.startsWith('96x'))).toContain('96x8');
    expect(groups.some(({ makers }) => makers[0]?.is('ConvTranspose'))).toBe(true);
  });
});

/** What is wrong with `groups`: indices in two units, units of no index, groups that nobody makes or reads. */
function faultsOf(groups: readonly ChannelGroup[]): string[] {
  const seen = new Map<Value, Set<string>>();
  const faults: string[] = [];
  for (const { name, width, members, makers, readers, frozen: freeze } of groups) {
    if (!freeze && (makers.length === 0 || readers.length === 0)) faults.push(`${name}: wants a maker or reader`);
    for (const { value, axis, indices } of members) {
      const taken = seen.get(value) ?? new Set<string>();
      seen.set(value, taken);
      if (indices.length !== width) faults.push(`${name}: ${indices.length} of ${width} units at ${value.name}`);
      for (const list of indices) {
        if (list.length === 0) faults.push(`${name}: a unit without index at ${value.name}`);
        for (const index of list) {
          if (taken.has(`${axis}/${index}`)) faults.push(`${name}: ${value.name}.${axis}[${index}] is in two units`);
          taken.add(`${axis}/${index}`);
        }
      }
    }
  }
  const names = groups.map(({ name }) => name);
  return new Set(names).size === names.length ? faults : [...faults, 'two groups of one name'];
}

describe('groups of all models', () => {
  for (const name of ASSET_MODELS)
    it.skipIf(pathOf(name) === undefined)(`${name}`, async () => {
      const groups = await groupsOf(name);
      expect(faultsOf(groups)).toEqual([]);
      expect((await groupsOf(name)).map((group) => group.name)).toEqual(groups.map((group) => group.name));
    });
});
