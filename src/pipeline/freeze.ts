// Fixing dynamic dimensions in a model: a size takes the place of a symbol in the declared input, of the same symbol in
// every other declared input and output, and of what follows from it in the outputs.
import { createFacts } from '../analysis/inference.js';
import { InputError } from '../base/errors.js';
import { suggestion } from '../base/suggest.js';
import { isStatic } from '../ir/dim.js';
import type { Model } from '../ir/model.js';
import type { DeclaredDim, Value } from '../ir/value.js';

/**
 * Fixes the inputs named in `shapes` ('' is the only input).
 * @throws InputError bad-feed for an unknown input, a wrong rank, or a size that contradicts a fixed one
 */
export function freezeInputs(model: Model, shapes: Readonly<Record<string, readonly number[]>>): void {
  const symbols = new Map<string, number>();
  const inputs = realInputs(model);
  for (const [name, shape] of Object.entries(shapes)) {
    const input = findInput(inputs, name);
    if (input.type?.kind !== 'tensor')
      throw new InputError('bad-feed', `the input ${input.name} is no tensor`, { at: { tensor: input.name } });
    const declared = input.type.shape ?? shape.map(() => undefined);
    if (declared.length !== shape.length) {
      throw new InputError('bad-feed', `the input has ${declared.length} dimensions, not ${shape.length}`, {
        at: { tensor: input.name },
        fix: `give ${declared.length} sizes`,
      });
    }
    declared.forEach((dim, axis) => bind(symbols, { input, dim, axis, size: shape[axis] ?? 0 }));
    model.graph.setType(input, { ...input.type, shape });
  }
  for (const value of [...inputs, ...model.graph.outputs]) {
    if (value.type?.kind !== 'tensor' || !value.type.shape) continue;
    const shape = value.type.shape.map((dim) => (typeof dim === 'string' ? (symbols.get(dim) ?? dim) : dim));
    if (shape.some((dim, i) => dim !== (value.type as { shape: readonly DeclaredDim[] }).shape[i]))
      model.graph.setType(value, { ...value.type, shape });
  }
  if (symbols.size > 0) settleOutputs(model);
}

/** Sizes of outputs that are known now take the place of symbols that no input has. */
function settleOutputs(model: Model): void {
  const facts = createFacts(model);
  for (const output of model.graph.outputs) {
    const known = facts.of(output).shape;
    if (output.type?.kind !== 'tensor' || !output.type.shape || known?.length !== output.type.shape.length) continue;
    const shape = output.type.shape.map((dim, axis) => {
      const size = known[axis];
      return typeof dim === 'number' || size === undefined || !isStatic(size) ? dim : size;
    });
    if (shape.some((dim, axis) => typeof dim === 'number' && dim !== known[axis])) continue;
    model.graph.setType(output, { ...output.type, shape });
  }
}

/** `shapes` with the name of the only input in place of ''. @throws InputError bad-feed for an unknown input */
export function namedShapes(
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]>,
): Map<string, readonly number[]> {
  const inputs = realInputs(model);
  return new Map([...shapes].map(([name, shape]) => [findInput(inputs, name).name, shape]));
}

/**
 * Sizes for running a model whose inputs were frozen to `freeze`, and its original: those, and `given` for other inputs.
 * @throws InputError bad-feed for an unknown input, or a given size that contradicts a frozen one
 */
export function shapesToFeed(
  model: Model,
  freeze: Readonly<Record<string, readonly number[]>>,
  given: ReadonlyMap<string, readonly number[]>,
): Map<string, readonly number[]> {
  const frozen = namedShapes(model, new Map(Object.entries(freeze)));
  const shapes = namedShapes(model, given);
  for (const [name, shape] of frozen) {
    const other = shapes.get(name);
    if (other === undefined || other.join() === shape.join()) continue;
    throw new InputError('bad-feed', `the shape of ${name} is frozen to ${shape.join('x')}, not ${other.join('x')}`, {
      at: { tensor: name },
      fix: 'give one of --freeze and --input',
    });
  }
  return new Map([...shapes, ...frozen]);
}

/** Inputs that a caller has to feed: those without an initializer. */
export function realInputs(model: Model): Value[] {
  return model.graph.inputs.filter((input) => input.initializer === undefined);
}

function findInput(inputs: readonly Value[], name: string): Value {
  const only = inputs.length === 1 ? inputs[0] : undefined;
  const input = name === '' ? only : inputs.find((candidate) => candidate.name === name);
  if (input) return input;
  const names = inputs.map((candidate) => candidate.name);
  if (name === '')
    throw new InputError('bad-feed', `the model has ${inputs.length} inputs: name the one that is meant`, {
      fix: `one of: ${names.join(', ')}`,
    });
  throw new InputError('bad-feed', `the model has no input "${name}"`, {
    fix: suggestion(name, names) ?? `its inputs: ${names.join(', ')}`,
  });
}

function bind(
  symbols: Map<string, number>,
  { input, dim, axis, size }: { input: Value; dim: DeclaredDim; axis: number; size: number },
): void {
  const fixed = typeof dim === 'string' ? symbols.get(dim) : dim;
  if (fixed !== undefined && fixed !== size) {
    throw new InputError('bad-feed', `dimension ${axis} of ${input.name} is ${fixed}, not ${size}`, {
      at: { tensor: input.name },
      fix: `give ${fixed} there`,
    });
  }
  if (typeof dim === 'string') symbols.set(dim, size);
}
