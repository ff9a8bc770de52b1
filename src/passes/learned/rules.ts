// All rules that replace blocks, in the order in which they are tried.
import type { BlockRule } from './block-rule.js';
import { SLIM_STREAMLINE } from './slim-streamline.js';

export const BLOCK_RULES: readonly BlockRule[] = [SLIM_STREAMLINE];
