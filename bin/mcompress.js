#!/usr/bin/env node
// Starts the built command line; everything else is in dist.
import { existsSync } from 'node:fs';
import module from 'node:module';

const program = new URL('../dist/bin/main.js', import.meta.url);
if (existsSync(program)) {
  module.enableCompileCache?.(); // not there on Node 20
  const { main } = await import(program.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  console.error('error: mcompress is not built. Run "npm run demo" or "npm run build" in its folder first.');
  process.exitCode = 4;
}
