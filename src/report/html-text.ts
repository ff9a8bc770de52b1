// Text in HTML: escaped, control characters shown, figures with a real minus sign.
import { visible } from './format.js';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for element content or a quoted attribute. */
export const escapeHtml = (text: string): string =>
  visible(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

const UNIT = /(\d) (?=(?:%|B|[KMGT]iB|µs|ms|s|[kMGT]|[pnµm]?J)(?![\w]))/g;

/** Figures and sentences: as `escapeHtml`, with a real minus in front of digits, and units kept on the line of their number. */
export const htmlText = (text: string): string =>
  escapeHtml(text)
    .replace(/(^|[\s(])-(?=\d)/g, '$1−')
    .replace(UNIT, '$1\u00a0');

/** A name out of the model, which may be broken after its separators. */
export const htmlName = (text: string): string =>
  text
    .split(/(?<=[/._:])/)
    .map(escapeHtml)
    .join('<wbr>');

/** Text of several lines for `<pre>`. */
export const htmlLines = (text: string): string => text.split('\n').map(escapeHtml).join('\n');
