// All rules that replace blocks, in the order in which they are tried.
import type { BlockRule } from './block-rule.js';
import { MERGE_DEPTH } from './merge-depth.js';
import { SHUFFLE_GROUPS } from './shuffle-groups.js';
import { SLIM_BRANCH } from './slim-branch.js';
import { SLIM_STREAMLINE } from './slim-streamline.js';

export const BLOCK_RULES: readonly BlockRule[] = [SLIM_STREAMLINE, SLIM_BRANCH, MERGE_DEPTH, SHUFFLE_GROUPS];
