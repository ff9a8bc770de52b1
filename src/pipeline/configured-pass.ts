// A pass with its options parsed: what a recipe step becomes.
import { parseOptions } from '../base/option.js';
import type { AnyPass } from '../passes/pass.js';

export interface ConfiguredPass {
  readonly pass: AnyPass;
  readonly options: Readonly<Record<string, number | boolean | string>>;
}

/** @throws UsageError unknown-option, bad-value */
export function configure(pass: AnyPass, given: Readonly<Record<string, unknown>> = {}): ConfiguredPass {
  return { pass, options: parseOptions(pass.options, given, pass.name) };
}
