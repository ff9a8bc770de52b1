// A JSON Schema validator for what our schemas use: type, properties, required, items, enum, const, anyOf, pattern,
// minimum, maximum, minItems. `strict` also objects to properties that the schema does not name.
type Schema = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
};
const KNOWN = new Set([
  '$schema',
  '$id',
  'title',
  'description',
  'type',
  'properties',
  'required',
  'additionalProperties',
  'default',
  'items',
  'enum',
  'const',
  'anyOf',
  'not',
  'pattern',
  'minimum',
  'maximum',
  'minItems',
]);

function ownProblems(schema: Schema, value: unknown, path: string): string[] {
  const wrong: [boolean, string][] = [
    [typeof schema.type === 'string' && !TYPES[schema.type]?.(value), `is not ${String(schema.type)}`],
    [Array.isArray(schema.enum) && !schema.enum.includes(value), 'is not in the enum'],
    ['const' in schema && schema.const !== value, 'is not the const'],
    [typeof schema.pattern === 'string' && !new RegExp(schema.pattern).test(String(value)), 'does not match'],
    [typeof schema.minimum === 'number' && typeof value === 'number' && value < schema.minimum, 'is too small'],
    [typeof schema.maximum === 'number' && typeof value === 'number' && value > schema.maximum, 'is too large'],
    [typeof schema.minItems === 'number' && Array.isArray(value) && value.length < schema.minItems, 'is too short'],
  ];
  const unknown = Object.keys(schema)
    .filter((key) => !KNOWN.has(key))
    .map((key) => `${path}: this validator does not know ${key}`);
  return [...wrong.filter(([holds]) => holds).map(([, text]) => `${path} ${text}`), ...unknown];
}

/** What is wrong with `value`, one line per place; empty when it is valid. */
export function problems(schema: Schema, value: unknown, path = '$'): string[] {
  const found = ownProblems(schema, value, path);
  if (Array.isArray(schema.anyOf) && schema.anyOf.every((one) => problems(one as Schema, value, path).length > 0))
    found.push(`${path} fits none of anyOf`);
  if (Array.isArray(value) && schema.items)
    found.push(...value.flatMap((one, at) => problems(schema.items as Schema, one, `${path}[${at}]`)));
  if (typeof schema.additionalProperties === 'object' && TYPES.object?.(value)) {
    const rest = schema.additionalProperties as Schema;
    found.push(...Object.entries(value as object).flatMap(([name, one]) => problems(rest, one, `${path}.${name}`)));
  }
  if (Array.isArray(schema.required) && TYPES.object?.(value)) {
    const missing = (schema.required as string[]).filter((name) => !(name in (value as object)));
    found.push(...missing.map((name) => `${path}.${name} is missing`));
  }
  if (schema.not && problems(schema.not as Schema, value, path).length === 0) found.push(`${path} fits not`);
  if (schema.properties && TYPES.object?.(value)) {
    const object = value as Record<string, unknown>;
    const properties = schema.properties as Record<string, Schema>;
    for (const name of (schema.required ?? []) as string[])
      if (!(name in object)) found.push(`${path}.${name} is missing`);
    for (const [name, one] of Object.entries(object)) {
      const property = properties[name];
      found.push(...(property ? problems(property, one, `${path}.${name}`) : [`${path}.${name} is not in the schema`]));
    }
  }
  return found;
}
