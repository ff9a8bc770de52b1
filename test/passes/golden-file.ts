// The file format of golden cases (README.md in golden/): a title, then sections that start with `=== name`.

/** A case as its file says it. */
export interface GoldenCase {
  readonly title: string;
  readonly options: Readonly<Record<string, string>>;
  /** Lines for the feeds: sizes of symbols, contents of inputs. */
  readonly feeds: string;
  readonly before: string;
  /** Why ONNX Runtime cannot run the case (an operator it does not know, training mode); undefined when it can. */
  readonly notRun: string | undefined;
  /** `unchanged`, IR text, or undefined when the file has none yet. */
  readonly after: string | undefined;
  /** `code: node` per line; undefined when the file does not say. */
  readonly declines: readonly string[] | undefined;
}

const SECTIONS: readonly string[] = ['options', 'feeds', 'before', 'after', 'unchanged', 'declines', 'not-run'];

/** @throws Error with the reason when the text is no golden case */
export function parseGolden(text: string): GoldenCase {
  const [title = '', ...parts] = text.split(/^=== */m);
  const sections = new Map<string, string>();
  for (const part of parts) {
    const end = part.indexOf('\n');
    const name = (end < 0 ? part : part.slice(0, end)).trim();
    if (!SECTIONS.includes(name)) throw new Error(`unknown section "${name}": the sections are ${SECTIONS.join(', ')}`);
    if (sections.has(name)) throw new Error(`section "${name}" stands there twice`);
    sections.set(name, end < 0 ? '' : part.slice(end + 1));
  }
  const before = sections.get('before');
  if (title.trim() === '') throw new Error('the first lines must say what the case shows');
  if (before === undefined) throw new Error('section "before" is missing');
  if (sections.has('after') && sections.has('unchanged'))
    throw new Error('a case has "after" or "unchanged", not both');
  const declines = sections.get('declines');
  return {
    title: title.trim(),
    before,
    options: Object.fromEntries(linesOf(sections.get('options')).map(parseOption)),
    feeds: sections.get('feeds') ?? '',
    notRun: sections.get('not-run')?.trim(),
    after: sections.has('unchanged') ? 'unchanged' : sections.get('after'),
    declines: declines === undefined ? undefined : linesOf(declines).sort(),
  };
}

/** The text that `parseGolden` reads. */
export function formatGolden({ title, options, feeds, notRun, before, after, declines }: GoldenCase): string {
  const optionLines = Object.entries(options)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('');
  return [
    `${title}\n\n`,
    optionLines && `=== options\n${optionLines}`,
    feeds && `=== feeds\n${feeds}`,
    notRun === undefined ? '' : `=== not-run\n${notRun}\n`,
    `=== before\n${before}`,
    after === undefined ? '' : after === 'unchanged' ? '=== unchanged\n' : `=== after\n${after}`,
    declines?.length ? `=== declines\n${declines.map((line) => `${line}\n`).join('')}` : '',
  ].join('');
}

function linesOf(section: string | undefined): string[] {
  return (section ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function parseOption(line: string): [string, string] {
  const equals = line.indexOf('=');
  return equals < 0 ? [line, ''] : [line.slice(0, equals).trim(), line.slice(equals + 1).trim()];
}
