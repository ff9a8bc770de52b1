// The shared test models, beside the checkout where there are any.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const models = new URL('../../../shared/assets/models/', import.meta.url);

export const haveAssets = existsSync(models);

export function asset(name: string): string {
  return fileURLToPath(new URL(name, models));
}
