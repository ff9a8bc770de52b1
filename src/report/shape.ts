// Declarations of plain JSON data. One declaration of a report gives its TypeScript type, the check on reading and
// writing, the order of its keys, and its JSON Schema, so that none of the four can drift from the others.

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonSchema = { readonly [key: string]: JsonValue };

/** Where reading stands, and what to do when the data is not as declared. `path` is like `layers[3].before.macs`. */
export interface Reading {
  readonly path: string;
  fail(message: string, path: string): never;
}

/** Declaration of a value of type `T`. */
export interface Shape<out T> {
  /** `value` checked, with keys in declared order and without undeclared ones; calls `at.fail` where it does not fit. */
  read(value: unknown, at: Reading): T;
  /** JSON Schema (2020-12). */
  readonly schema: JsonSchema;
  /** Set where an object may leave the field out. */
  readonly optional?: true;
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
/** The type that a shape declares. */
export type ValueOf<S> = S extends Shape<infer T> ? T : never;
type ObjectOf<F extends Fields> = {
  readonly [K in keyof F as undefined extends ValueOf<F[K]> ? never : K]: ValueOf<F[K]>;
} & { readonly [K in keyof F as undefined extends ValueOf<F[K]> ? K : never]?: ValueOf<F[K]> };

/** `value` in a few words, for messages. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

function mismatch(expected: string, value: unknown, at: Reading): never {
  return at.fail(`should be ${expected}, is ${describeValue(value)}`, at.path);
}

interface NumberLimits {
  readonly min?: number;
  readonly max?: number;
}

function numeric(noun: string, type: 'integer' | 'number', description: string, limits: NumberLimits): Shape<number> {
  const { min, max } = limits;
  const fits = (value: unknown): value is number =>
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (type === 'number' || Number.isInteger(value)) &&
    (min === undefined || value >= min) &&
    (max === undefined || value <= max);
  const range = `${min === undefined ? '' : ` from ${min}`}${max === undefined ? '' : ` up to ${max}`}`;
  return {
    read: (value, at) => (fits(value) ? value : mismatch(`${noun}${range}`, value, at)),
    schema: {
      type,
      ...(min === undefined ? {} : { minimum: min }),
      ...(max === undefined ? {} : { maximum: max }),
      description,
    },
  };
}

/** A whole number, 0 or more unless `limits` say otherwise. */
export const whole = (description: string, limits: NumberLimits = { min: 0 }): Shape<number> =>
  numeric('a whole number', 'integer', description, limits);
/** A finite number. */
export const real = (description: string, limits: NumberLimits = {}): Shape<number> =>
  numeric('a finite number', 'number', description, limits);

export const words = (description: string): Shape<string> => ({
  read: (value, at) => (typeof value === 'string' ? value : mismatch('text', value, at)),
  schema: { type: 'string', description },
});

/** Text that matches `pattern`, which `noun` says in words. */
export const matching = (pattern: RegExp, noun: string, description: string): Shape<string> => ({
  read: (value, at) => (typeof value === 'string' && pattern.test(value) ? value : mismatch(noun, value, at)),
  schema: { type: 'string', pattern: pattern.source, description },
});

/** One of these texts. */
export function choice<const C extends string>(choices: readonly C[], description: string): Shape<C> {
  const fits = (value: unknown): value is C => choices.some((one) => one === value);
  return {
    read: (value, at) =>
      fits(value) ? value : mismatch(`one of ${choices.map((one) => `"${one}"`).join(', ')}`, value, at),
    schema: { enum: choices, description },
  };
}

export const exactly = <const C extends string | number>(constant: C, description: string): Shape<C> => ({
  read: (value, at) => (value === constant ? constant : mismatch(JSON.stringify(constant), value, at)),
  schema: { const: constant, description },
});

/** Either a number or text: a dimension, or the name of a symbolic one. */
export const either = (first: Shape<number>, second: Shape<string>, description: string): Shape<number | string> => ({
  read: (value, at) => (typeof value === 'string' ? second.read(value, at) : first.read(value, at)),
  schema: { anyOf: [first.schema, second.schema], description },
});

export const list = <T>(item: Shape<T>, description: string): Shape<readonly T[]> => ({
  read: (value, at) =>
    Array.isArray(value)
      ? value.map((one, index) => item.read(one, { ...at, path: `${at.path}[${index}]` }))
      : mismatch('a list', value, at),
  schema: { type: 'array', items: item.schema, description },
});

/** A field that may be absent: not measured, or not known. */
export const maybe = <T>(shape: Shape<T>): Shape<T | undefined> => ({
  read: (value, at) => (value === undefined ? undefined : shape.read(value, at)),
  schema: shape.schema,
  optional: true,
});

const MAX_DEPTH = 64;

/** Any JSON value of at most 64 levels, kept as it is. */
export const anyJson = (description: string): Shape<JsonValue> => ({
  read: (value, at) => readJson(value, at, MAX_DEPTH),
  schema: { description },
});

function readJson(value: unknown, at: Reading, levels: number): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (levels === 0) return at.fail('is nested too deeply', at.path);
  if (Array.isArray(value))
    return value.map((one, index) => readJson(one, { ...at, path: `${at.path}[${index}]` }, levels - 1));
  if (typeof value !== 'object') return mismatch('a JSON value', value, at);
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(
    entries.map(([key, one]) => [key, readJson(one, { ...at, path: join(at.path, key) }, levels - 1)]),
  );
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

/** An object with these fields; others are dropped on reading, so that a newer writer may add some. */
export function object<F extends Fields>(fields: F, description: string): Shape<ObjectOf<F>> {
  return {
    read: (value, at) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return mismatch('an object', value, at);
      const given = value as Readonly<Record<string, unknown>>;
      const read: Record<string, unknown> = {};
      for (const [name, shape] of Object.entries(fields)) {
        const field = shape.read(Object.hasOwn(given, name) ? given[name] : undefined, {
          ...at,
          path: join(at.path, name),
        });
        if (field !== undefined) read[name] = field;
      }
      return read as ObjectOf<F>;
    },
    schema: {
      type: 'object',
      properties: Object.fromEntries(Object.entries(fields).map(([name, shape]) => [name, shape.schema])),
      required: Object.entries(fields)
        .filter(([, shape]) => shape.optional !== true)
        .map(([name]) => name),
      description,
    },
  };
}
