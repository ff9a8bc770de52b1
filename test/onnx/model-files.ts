// The model files that tests run over: those of fixtures/, and the larger ones beside the checkout where they are.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export const fixtureFolder = join(root, 'fixtures');
/** Models that are not part of the checkout. */
export const assetFolder = join(root, '../shared/assets/models');
export const hasAssets = existsSync(assetFolder);

/** Paths of the models in `folder`, by file name without extension. */
function modelsIn(folder: string): readonly (readonly [name: string, path: string])[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.onnx'))
    .sort()
    .map((file) => [file.slice(0, -'.onnx'.length), join(folder, file)]);
}

export const smallFixtures = modelsIn(join(fixtureFolder, 'small'));
export const fixtures = [...modelsIn(fixtureFolder), ...smallFixtures];
export const assets = modelsIn(assetFolder);
