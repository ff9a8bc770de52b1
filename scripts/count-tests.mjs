// Prints the counts of a vitest JSON report as `N passed, N failed`. A test file that could not be loaded counts as one
// failed test, since its tests are not in the counts. Exits with 1 when anything failed or nothing passed.
import { readFileSync } from 'node:fs';

function readCounts(file) {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
  const unloaded = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  );
  return { passed: numPassedTests, failed: numFailedTests + unloaded.length };
}

let counts = { passed: 0, failed: 1 };
try {
  counts = readCounts(process.argv[2]);
} catch {
  console.error('The tests did not run to their end.');
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
if (counts.failed > 0 || counts.passed === 0) process.exitCode = 1;
