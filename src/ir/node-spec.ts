// What a node is made from, and how it is brought into the form that nodes have.
import type { Attribute } from './attribute.js';
import type { Value } from './value.js';

/** What `addNode` needs. `outputs`: a string is a name hint for a new value (made unique), a Value is taken over. */
export interface NodeSpec {
  readonly opType: string;
  readonly domain?: string;
  readonly overload?: string;
  readonly name?: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | string | undefined)[];
  readonly attributes?: Readonly<Record<string, Attribute | undefined>> | ReadonlyMap<string, Attribute>;
}

/** A list of its own of `inputs`, without the omitted ones at the end, which ONNX does not write. */
export function trimmed(inputs: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
  let length = inputs.length;
  while (length > 0 && inputs[length - 1] === undefined) length--;
  return inputs.slice(0, length);
}

/** The attributes of a spec by name, without those that are undefined. */
export function attributeMap(attributes: NodeSpec['attributes']): ReadonlyMap<string, Attribute> {
  if (attributes instanceof Map) return attributes;
  return new Map(
    Object.entries(attributes ?? {}).filter((entry): entry is [string, Attribute] => entry[1] !== undefined),
  );
}
