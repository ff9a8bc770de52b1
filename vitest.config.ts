// Test runner settings. `npm test` builds dist first; test/setup.mjs says so where that was forgotten.
import { defineConfig } from 'vitest/config';
import { CLOSED_CASES } from './test/open-cases.js';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup.mjs', 'test/runtime/build-worker.ts'],
    testNamePattern: CLOSED_CASES,
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
