// A report as a document of blocks: what each kind of report says, in which order, before it is known whether it
// becomes HTML, Markdown or terminal lines. Texts are plain; each renderer escapes them its own way.
import type { Answer, Tone } from './figures.js';

export interface RichCell {
  readonly text: string;
  readonly tone?: Tone;
  /** A name out of the model: set in the font of code, cut in its middle where there is no room. */
  readonly name?: 'name';
  /** after / before, drawn as a bar under the text where the form allows it. */
  readonly ratio?: number;
  /** Share of the largest value of the column: a bar behind the text in a terminal, where pages have charts. */
  readonly meter?: number;
}
export type BlockCell = string | RichCell;

export interface BlockColumn {
  readonly title: string;
  readonly align: 'left' | 'right';
  /** As in table.ts. */
  readonly drop?: number;
}

export interface TableBlock {
  readonly kind: 'table';
  readonly caption: string;
  readonly columns: readonly BlockColumn[];
  readonly rows: readonly (readonly BlockCell[])[];
  /** `folded`: a reader opens it. The terminal leaves folded tables out. */
  readonly shown: 'open' | 'folded';
}

/** One row of a chart of two bars. */
export interface BarRow {
  readonly label: string;
  readonly note: string;
  readonly before?: number | undefined;
  readonly after?: number | undefined;
  readonly text: string;
}
export interface BarsBlock {
  readonly kind: 'bars';
  readonly caption: string;
  /** What the length of a bar is. */
  readonly measure: string;
  /** Names of the two bars; one name where there is one. */
  readonly series: readonly string[];
  readonly rows: readonly BarRow[];
  /** `hide`: a table beside it says the same in a terminal. */
  readonly inTerminal?: 'hide';
}

export interface StackBlock {
  readonly kind: 'stack';
  readonly caption: string;
  readonly measure: string;
  /** Names of the parts, as many as every row has values. */
  readonly series: readonly string[];
  readonly rows: readonly {
    readonly label: string;
    readonly values: readonly number[];
    readonly texts: readonly string[];
    readonly total: string;
  }[];
}

export interface IntervalRow {
  readonly label: string;
  readonly low: number;
  readonly value: number;
  readonly high: number;
  readonly text: string;
  readonly tone: Tone;
}
/** Ratios with their 95 % intervals, around 1. */
export interface IntervalBlock {
  readonly kind: 'intervals';
  readonly caption: string;
  readonly rows: readonly IntervalRow[];
}

/** Counts by row and column: a picture. A terminal and Markdown leave it out, a table beside it says what matters. */
export interface MatrixBlock {
  readonly kind: 'matrix';
  readonly caption: string;
  readonly description: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** Short names of the columns, for above them. */
  readonly heads: readonly string[];
  /** Those that are not 0. */
  readonly cells: readonly { readonly row: number; readonly column: number; readonly count: number }[];
}

/** What a figure is at each layer, from the first to the last: a picture. Other forms leave it out, beside a table. */
export interface DepthBlock {
  readonly kind: 'depth';
  readonly caption: string;
  readonly description: string;
  readonly unit: string;
  /** In order; without a value it only takes its place. `bad`: stands out. */
  readonly points: readonly { readonly label: string; readonly value?: number; readonly look: 'usual' | 'bad' }[];
  /** Names of the two looks and of the place without a value. */
  readonly legend: readonly [usual: string, bad: string, none: string];
}

/** Several small charts side by side: a picture. Other forms leave it out, beside a table. */
export interface CurvesBlock {
  readonly kind: 'curves';
  readonly caption: string;
  /** What stands along the axes: parts of a whole, and a figure in powers of ten. */
  readonly x: string;
  readonly y: string;
  /** Names of all series that occur, in the order of their colours. */
  readonly series: readonly string[];
  readonly charts: readonly {
    readonly label: string;
    /** As many as there are names, empty where there is nothing. */
    readonly series: readonly {
      readonly name: string;
      readonly points: readonly { readonly x: number; readonly y: number; readonly label: string }[];
    }[];
    readonly chosen?: { readonly x: number; readonly y: number } | undefined;
  }[];
}

/** Loss against time of several models: a picture. Other forms leave it out, beside a table. */
export interface FrontierBlock {
  readonly kind: 'frontier';
  readonly caption: string;
  readonly description: string;
  /** What stands along the axes: a part of the original's, and a loss in its unit. */
  readonly x: string;
  readonly y: string;
  readonly points: readonly {
    readonly label: string;
    readonly x: number;
    readonly y: number;
    /** `rival`: what the result has to beat; `tag` stands beside it. */
    readonly look: 'tried' | 'taken' | 'original' | 'rival';
    readonly tag?: string;
  }[];
  /** The largest loss that is allowed. */
  readonly limit: number | undefined;
}

export type Block =
  | TableBlock
  | BarsBlock
  | StackBlock
  | IntervalBlock
  | MatrixBlock
  | DepthBlock
  | CurvesBlock
  | FrontierBlock
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] }
  | { readonly kind: 'text'; readonly text: string; readonly tone?: Tone }
  | { readonly kind: 'facts'; readonly facts: readonly (readonly [term: string, text: string])[] }
  | { readonly kind: 'code'; readonly caption: string; readonly language: 'sh' | 'json'; readonly text: string };

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}
export interface Document {
  readonly title: string;
  readonly lead: readonly Block[];
  readonly sections: readonly Section[];
  readonly footer: string;
}

/** Long tables of a document end here; the JSON report has every row. */
const MAX_ROWS = 2000;
/** Layers that a table of the dearest lists unless more are asked for. */
export const TOP_LAYERS = 10;
/** Rows of a chart: those that matter, not all. */
export const MAX_BARS = 24;

export const left = (title: string, drop?: number): BlockColumn => ({
  title,
  align: 'left',
  ...(drop === undefined ? {} : { drop }),
});
export const right = (title: string, drop?: number): BlockColumn => ({
  title,
  align: 'right',
  ...(drop === undefined ? {} : { drop }),
});
export const name = (text: string): RichCell => ({ text, name: 'name' });
export const toned = (text: string, tone: Tone): RichCell => ({ text, tone });

/** A section, or none when it would have no block. */
export function section(title: string, ...blocks: readonly (Block | undefined)[]): Section[] {
  const real = blocks.filter((block) => block !== undefined);
  return real.length === 0 ? [] : [{ title, blocks: real }];
}

const saysNothing = (cell: BlockCell | undefined): boolean =>
  cell === undefined || (typeof cell === 'string' ? cell : cell.text) === '';

/**
 * A table, or nothing without rows. Columns in which no row says anything are left out; so are rows beyond MAX_ROWS,
 * and the caption says so.
 */
export function tableBlock(
  caption: string,
  shown: TableBlock['shown'],
  columns: readonly BlockColumn[],
  rows: readonly (readonly BlockCell[])[],
): TableBlock | undefined {
  if (rows.length === 0) return undefined;
  const kept = columns.map((_, at) => at).filter((at) => at === 0 || rows.some((row) => !saysNothing(row[at])));
  const pick = <T>(items: readonly T[]): T[] => kept.flatMap((at) => items.slice(at, at + 1));
  const rest = rows.length - MAX_ROWS;
  return {
    kind: 'table',
    caption: rest > 0 ? `${caption}: the first ${MAX_ROWS}, ${rest} more in the JSON report` : caption,
    columns: pick(columns),
    rows: rows.slice(0, MAX_ROWS).map(pick),
    shown,
  };
}

/** The operator of a layer, unless its name ends with it anyway. */
export const operatorNote = (layer: string, opType: string): string => (layer.endsWith(opType) ? '' : opType);

/** Warnings as text blocks. */
export const warningBlocks = (warnings: readonly string[]): Block[] =>
  warnings.map((text) => ({ kind: 'text', text, tone: 'warn' }));
