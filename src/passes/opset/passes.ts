// Passes that change the operator set. Not part of any preset: `--opset` puts them in front of the recipe.
import type { AnyPass } from '../pass.js';
import { convertOpset } from './convert-opset.js';

export const OPSET_PASSES: readonly AnyPass[] = [convertOpset];
