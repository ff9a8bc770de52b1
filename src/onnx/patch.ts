// Changing some fields of a message while the rest stays as it stands, fields unknown to mcompress included.
import { Rope } from './rope.js';
import { WireReader, type Source, type Span } from './wire.js';

/** Fields that take the place of all fields with a number; an empty rope removes them. */
export type FieldGroups = ReadonlyMap<number, Rope>;

/** The message in `body` with `groups` replaced, each where the first field of its number stood, else at the end. */
export function patched(source: Source, body: Span, groups: FieldGroups): Rope {
  const rope = new Rope();
  const left = new Map(groups);
  const reader = new WireReader(source, body);
  while (reader.next()) {
    const group = groups.get(reader.number);
    if (!group) rope.copy(source, reader.start, reader.end);
    else if (left.delete(reader.number)) rope.append(group);
  }
  for (const group of left.values()) rope.append(group);
  return rope;
}

/** Groups that replace or remove single fields: undefined removes. */
export function fieldGroups(
  fields: ReadonlyArray<readonly [number: number, contents: Uint8Array | undefined]>,
): FieldGroups {
  return new Map(fields.map(([number, contents]) => [number, contents ? new Rope().push(contents) : new Rope()]));
}
