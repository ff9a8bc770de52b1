// Test runner settings. `npm test` builds dist first; test/setup.mjs says so where that was forgotten.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup.mjs', 'test/runtime/build-worker.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
