// `npm test [-- ARGUMENTS]`: sets the checkout up, then runs vitest once with the arguments.
import { join } from 'node:path';
import { prepare, root, runOrExit } from './prepare.mjs';

prepare();
runOrExit(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(2)]);
