// Data sets that come as files of a training and a test part: the files of the part that was asked for.
import { UsageError } from '../../base/errors.js';

/** A part and the names that belong to it. */
export type PartNames = Readonly<Record<string, RegExp>>;

/**
 * The files of `part`; without one all files, if they are of one part.
 * @throws UsageError bad-value
 */
export function filesOfPart(
  files: readonly string[],
  parts: PartNames,
  { path, part }: { readonly path: string; readonly part: string | undefined },
): readonly string[] {
  const byPart = Object.entries(parts).flatMap(([name, pattern]) => {
    const found = files.filter((file) => pattern.test(file));
    return found.length > 0 ? [{ name, found }] : [];
  });
  const names = byPart.map(({ name }) => `${path}#${name}`);
  if (part === undefined) {
    if (byPart.length > 1)
      throw new UsageError('bad-value', `the folder ${path} holds several parts`, {
        fix: `name one: ${names.join(' or ')}`,
      });
    return files;
  }
  const chosen = byPart.find(({ name }) => name === part);
  if (chosen) return chosen.found;
  throw new UsageError('bad-value', `there is no part "${part}" in ${path}`, {
    fix: names.length > 0 ? `name one: ${names.join(' or ')}` : 'leave out what stands behind #',
  });
}

/** Names without the gzipped copies of files that lie there unpacked, too. */
export function withoutPackedCopies(names: readonly string[]): string[] {
  const isPacked = (name: string): boolean => name.toLowerCase().endsWith('.gz');
  return names.filter((name) => !isPacked(name) || !names.includes(name.slice(0, -'.gz'.length)));
}
