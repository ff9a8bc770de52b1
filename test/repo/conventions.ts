// House rules that the linter has no rule for, as checks on source text. Each returns what is wrong, in words.
import type { SourceFile } from './layers.js';

export const MAX_FILE_LINES = 400;
export const MAX_LINE_LENGTH = 150;

const FORBIDDEN_NAME = /(?:^|[/.-])(?:utils?|helpers?|common|misc|manager|shared)(?:[/.-]|$)/i;

interface PatternRule {
  readonly pattern: RegExp;
  readonly says: string;
}

const PATTERNS: readonly PatternRule[] = [
  { pattern: /^export default\b/m, says: 'has a default export' },
  { pattern: /^\s*(?:export )?(?:declare )?(?:const )?enum\s/m, says: 'has an enum' },
  { pattern: /^(?:export )?(?:let|var)\s/m, says: 'has a variable at module level' },
  {
    pattern: /^(?:export )?const \w+(?:: [^=]+)? = (?:new (?:Map|Set)(?:<[^>]*>)?\(\)|\[\]|\{\});/m,
    says: 'has an empty collection at module level, so module state',
  },
  {
    pattern: /[(,]\s*(?:readonly |private |public )?\w+\??: boolean(?: = \w+)?\s*[,)]/,
    says: 'has a boolean parameter',
  },
  { pattern: /[(,]\s*\w+ = (?:true|false)\s*[,)]/, says: 'has a boolean parameter' },
  { pattern: /@ts-(?:ignore|nocheck|expect-error)/, says: 'switches the type checker off' },
  { pattern: /\b(?:TODO|FIXME|XXX)\b/, says: 'has unfinished work noted in it' },
  { pattern: /\t/, says: 'has a tab' },
  { pattern: /[^\n]$/, says: 'does not end with a newline' },
];

/** Re-exports belong to src/index.ts alone. */
const RE_EXPORT = /^export (?:type )?(?:\*|\{[^}]*\})(?: as \w+)? from /m;

/** Exported functions without a documentation comment right above them. */
function undocumented(text: string): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const name = /^export (?:async )?function\*? (\w+)/.exec(line)?.[1];
    const above = lines[index - 1]?.trim() ?? '';
    // Overloads: the signature above carries the comment.
    return name === undefined || above.endsWith('*/') || above.startsWith('export function')
      ? []
      : [`exports ${name} without a comment`];
  });
}

/** Line numbers longer than the limit. */
function longLines(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) => (line.length > MAX_LINE_LENGTH ? [`line ${index + 1} has ${line.length} columns`] : []));
}

const lineCount = (text: string): number => text.split('\n').length - 1;

/** What any TypeScript file of the project must keep to. */
export function fileViolations({ path, text }: SourceFile): string[] {
  const says = [
    ...(FORBIDDEN_NAME.test(path.replace(/^(?:src|test)\//, '')) ? ['has a name that says nothing'] : []),
    ...(text.startsWith('//') || text.startsWith('/**') ? [] : ['does not begin with its purpose']),
    ...(lineCount(text) > MAX_FILE_LINES ? [`has ${lineCount(text)} lines`] : []),
  ];
  return says.map((what) => `${path}: ${what}`);
}

/** What a file of src must keep to besides. */
export function sourceViolations({ path, text }: SourceFile): string[] {
  const says = [
    ...PATTERNS.filter(({ pattern }) => pattern.test(text)).map((rule) => rule.says),
    ...(path !== 'src/index.ts' && RE_EXPORT.test(text) ? ['re-exports from another module'] : []),
    ...undocumented(text),
    ...longLines(text),
  ];
  return says.map((what) => `${path}: ${what}`);
}
