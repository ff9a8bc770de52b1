// ONNX Runtime's errors carry no code, and name source files, C++ signatures and absolute paths. This is the one place
// that reads their text: it gives them a code and leaves only what says something to a user.
import { InputError, InternalError, type AppError, type ErrorPlace, type InputCode } from '../base/errors.js';
import type { FailureStage } from './protocol.js';

interface Rule {
  readonly pattern: RegExp;
  readonly code: InputCode;
  readonly fix?: string;
}

const LOAD_RULES: readonly Rule[] = [
  { pattern: /Unsupported data type|MLDataType for/, code: 'unsupported' },
  { pattern: /external data/i, code: 'external-data', fix: 'keep the data files beside the model' },
  { pattern: /File doesn't exist/, code: 'not-found' },
  {
    pattern: /max supported IR version|till opset/,
    code: 'runtime-rejects',
    fix: 'save the model with an older IR version or opset',
  },
  {
    pattern: /No Op registered for|is not a registered function\/op|Could not find an implementation/,
    code: 'runtime-rejects',
    fix: 'ONNX Runtime lacks this operator or type: the model cannot be run here',
  },
];
const RUN_RULES: readonly Rule[] = [
  { pattern: /is missing in 'feeds'|Missing Input|Invalid input name|Invalid Feed/i, code: 'bad-feed' },
  { pattern: /Invalid rank for input|invalid dimensions for input|Unexpected input data type/i, code: 'bad-feed' },
  { pattern: /Tensor\.type is not supported|Unsupported data type|Non tensor type/, code: 'unsupported' },
  { pattern: /contains invalid output name/, code: 'missing-value' },
  { pattern: /Failed to allocate memory|bad_alloc/, code: 'runtime-failed', fix: 'feed smaller shapes' },
];

export interface FailureContext {
  /** How the model is called in messages. */
  readonly model: string;
  /** Folders whose paths are cut out of the text. */
  readonly folders: readonly string[];
}

/** The error for a failure that the child reported. */
export function runtimeError(stage: FailureStage, raw: string, context: FailureContext): AppError {
  const at: ErrorPlace = { file: context.model };
  if (stage === 'unsupported') return new InputError('unsupported', raw, { at });
  if (stage === 'defect') return new InternalError('unexpected', cleanText(raw, context), { at });
  const rules = stage === 'load' ? LOAD_RULES : RUN_RULES;
  const rule = rules.find(({ pattern }) => pattern.test(raw));
  const inNode = /while running (\S+) node\. Name:'([^']*)' Status Message: ([\s\S]*)/.exec(raw);
  const text = cleanText(inNode?.[3] ?? raw, context);
  const code = rule?.code ?? (stage === 'load' ? 'runtime-rejects' : 'runtime-failed');
  const what =
    stage === 'load'
      ? 'ONNX Runtime does not load the model'
      : `ONNX Runtime cannot run the model${inNode ? ` (${inNode[1]})` : ''}`;
  const place = inNode ? { ...at, node: inNode[2] || `(${inNode[1]})` } : at;
  return new InputError(code, `${what}: ${text}`, { at: place, ...(rule?.fix === undefined ? {} : { fix: rule.fix }) });
}

const TEXT_LIMIT = 600;

/** `raw` without source locations, C++ signatures and the folders of `context`, on one line. */
function cleanText(raw: string, context: FailureContext): string {
  let text = raw.replace(/^Load model from [\s\S]*? failed:/, '');
  text = withoutSourceLocations(text);
  for (const folder of context.folders) {
    if (folder.length > 1)
      text = text.replaceAll(`${folder}/`, '').replaceAll(`${folder}\\`, '').replaceAll(folder, '.');
  }
  text = text.replace(/\s+/g, ' ').trim();
  return text.length > TEXT_LIMIT ? `${text.slice(0, TEXT_LIMIT)}…` : text;
}

const SOURCE_LOCATION = /(?:\S*[\\/])?[\w.-]+\.(?:cc|cpp|h|hpp):\d+\s+/;

function withoutSourceLocations(raw: string): string {
  let text = raw;
  for (let found = SOURCE_LOCATION.exec(text); found; found = SOURCE_LOCATION.exec(text)) {
    const rest = text.slice(found.index + found[0].length);
    text = text.slice(0, found.index) + rest.slice(signatureLength(rest));
  }
  return text;
}

/** Length of the function name or full signature at the start of `text`; the runtime prints it after a location. */
function signatureLength(text: string): number {
  const head = /^[^()]*::[\w~<>]+\(/.exec(text);
  if (!head) return /^\w+ (?=[A-Z])/.exec(text)?.[0].length ?? 0;
  let depth = 1;
  let at = head[0].length;
  for (; at < text.length && depth > 0; at++) depth += text[at] === '(' ? 1 : text[at] === ')' ? -1 : 0;
  return at + (/^\s*(?:const)?\s*/.exec(text.slice(at))?.[0].length ?? 0);
}
