// Splits IR text into tokens, one at a time, and turns offsets into lines and columns for messages.
import { InputError, type InputCode } from '../../base/errors.js';

export interface Token {
  /** `word`: a bare identifier. `string`: a quoted one, unescaped. `end`: the end of the text. */
  readonly kind: 'word' | 'string' | 'number' | 'mark' | 'end';
  readonly text: string;
  /** Offset of its first character. */
  readonly at: number;
}

export interface Lexer {
  /** The next token, not consumed; `peek(1)` is the one after it. */
  peek(ahead?: number): Token;
  next(): Token;
  /** Consumes the next token when it is this mark. */
  take(mark: string): boolean;
  /** Consumes this mark. @throws InputError malformed when something else stands there */
  expect(mark: string): Token;
  /** An identifier, bare or quoted. `what` names it in the message. @throws InputError malformed */
  name(what: string): string;
  /** `read` once per item of a list in `open` and `close`, items parted by commas; a comma may follow the last. */
  list(open: string, close: string, read: () => void): void;
  /** The error to throw: the message with the line and column of `token` (the next one when omitted). */
  error(message: string, token?: Token, code?: InputCode): InputError;
}

const SPACE = /(?:\s|#[^\n]*)*/y;
const TOKEN =
  /([A-Za-z_]\w*)|(-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|-inf\b)|"((?:[^"\\\n]|\\.)*)"|(=>|\.\.\.|[<>()[\]{},=:.?@*])/y;

/** Reads `text` token by token. @throws InputError malformed, with line and column, from its methods */
export function createLexer(text: string): Lexer {
  const tokens: Token[] = [];
  let at = 0;
  const error = (message: string, token: Token = peek(), code: InputCode = 'malformed'): InputError =>
    new InputError(code, `IR text, ${placeOf(text, token.at)}: ${message}`, { at: { offset: token.at } });
  const scan = (): Token => {
    SPACE.lastIndex = at;
    SPACE.exec(text);
    const start = SPACE.lastIndex;
    if (start >= text.length) return { kind: 'end', text: '', at: start };
    TOKEN.lastIndex = start;
    const match = TOKEN.exec(text);
    if (!match) throw error(`unexpected ${JSON.stringify(text[start])}`, { kind: 'mark', text: '', at: start });
    at = TOKEN.lastIndex;
    const [, word, number, quoted, mark] = match;
    if (word !== undefined) return { kind: 'word', text: word, at: start };
    if (number !== undefined) return { kind: 'number', text: number, at: start };
    if (quoted !== undefined) return { kind: 'string', text: unescape(quoted), at: start };
    return { kind: 'mark', text: mark ?? '', at: start };
  };
  const peek = (ahead = 0): Token => {
    while (tokens.length <= ahead) tokens.push(scan());
    return tokens[ahead] ?? scan();
  };
  const next = (): Token => {
    const token = peek();
    tokens.shift();
    return token;
  };
  const take = (mark: string): boolean => {
    const token = peek();
    const here = token.kind === 'mark' && token.text === mark;
    if (here) tokens.shift();
    return here;
  };
  const expect = (mark: string): Token => {
    const token = peek();
    if (!take(mark)) throw error(`expected "${mark}", found ${describe(token)}`, token);
    return token;
  };
  const name = (what: string): string => {
    const token = next();
    if (token.kind !== 'word' && token.kind !== 'string')
      throw error(`expected ${what}, found ${describe(token)}`, token);
    return token.text;
  };
  const list = (open: string, close: string, read: () => void): void => {
    expect(open);
    while (!take(close)) {
      read();
      if (!take(',')) {
        expect(close);
        return;
      }
    }
  };
  return { peek, next, take, expect, name, list, error };
}

function placeOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n');
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

/** A token as it is called in messages. */
export function describe(token: Token): string {
  return token.kind === 'end' ? 'the end of the text' : `"${token.text}"`;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

function unescape(quoted: string): string {
  return quoted.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_, code: string | undefined, letter: string | undefined) =>
    code === undefined ? (ESCAPES[letter ?? ''] ?? letter ?? '') : String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** An identifier as it is written: bare where it can be, else quoted. `reserved` words are quoted too. */
export function quoteName(name: string, reserved: (word: string) => boolean = () => false): string {
  return /^[A-Za-z_]\w*$/.test(name) && !reserved(name) ? name : JSON.stringify(name);
}
