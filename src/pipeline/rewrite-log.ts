// What a run of passes did: every rewrite with the journal mark before it, counters, and the declines that still hold.
import type { Mark } from '../ir/journal.js';
import type { Graph } from '../ir/graph.js';
import { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { DeclineDetails } from '../passes/pass.js';

/** One change by one pass at one site. */
export interface Rewrite {
  readonly pass: string;
  /** Name of the value or graph it happened at: stable from run to run. */
  readonly site: string;
  /** State of the journal just before. */
  readonly before: Mark;
}

/** A site where a pass could have fired and did not. */
export interface Decline {
  readonly pass: string;
  readonly code: string;
  readonly message: string;
  readonly node: string;
}

export interface PassTally {
  rewrites: number;
  /** Change of the number of nodes, subgraphs counted. */
  nodes: number;
  /** Change of the number of elements in initializers. */
  parameters: number;
  milliseconds: number;
  readonly stats: Map<string, number>;
}

export class RewriteLog {
  readonly rewrites: Rewrite[] = [];
  readonly tallies = new Map<string, PassTally>();
  readonly #declines = new Map<Node, Map<string, { pass: string; code: string; message: string }>>();

  tally(pass: string): PassTally {
    let tally = this.tallies.get(pass);
    if (!tally) {
      tally = { rewrites: 0, nodes: 0, parameters: 0, milliseconds: 0, stats: new Map() };
      this.tallies.set(pass, tally);
    }
    return tally;
  }

  count(pass: string, stat: string, by: number): void {
    const { stats } = this.tally(pass);
    stats.set(stat, (stats.get(stat) ?? 0) + by);
  }

  /** Remembers a decline until `pass` tries `node` again or the node goes. */
  decline(pass: string, node: Node, code: string, template: string, details: DeclineDetails): void {
    const message = template.replace(/\{(\w+)\}/g, (whole, key: string) => String(details[key] ?? whole));
    const ofNode = this.#declines.get(node) ?? new Map();
    ofNode.set(`${pass}/${code}`, { pass, code, message });
    this.#declines.set(node, ofNode);
  }

  forget(pass: string, node: Node): void {
    const ofNode = this.#declines.get(node);
    if (!ofNode) return;
    for (const [key, decline] of ofNode) if (decline.pass === pass) ofNode.delete(key);
  }

  forgetPass(pass: string): void {
    for (const node of this.#declines.keys()) this.forget(pass, node);
  }

  /** Adds what a later run of passes over the same model did. */
  absorb(other: RewriteLog): void {
    this.rewrites.push(...other.rewrites);
    for (const [pass, added] of other.tallies) {
      const tally = this.tally(pass);
      tally.rewrites += added.rewrites;
      tally.nodes += added.nodes;
      tally.parameters += added.parameters;
      tally.milliseconds += added.milliseconds;
      for (const [stat, by] of added.stats) this.count(pass, stat, by);
      this.forgetPass(pass);
    }
    for (const [node, ofNode] of other.#declines)
      this.#declines.set(node, new Map([...(this.#declines.get(node) ?? []), ...ofNode]));
  }

  /** Declines at nodes that are still there. */
  declines(): Decline[] {
    const all: Decline[] = [];
    for (const [node, ofNode] of this.#declines) {
      if (!node.isRemoved) for (const decline of ofNode.values()) all.push({ ...decline, node: node.label });
    }
    return all;
  }
}

/** Key of a rewrite among vetoes. */
export function rewriteKey(pass: string, site: string): string {
  return `${pass}@${site}`;
}

/** A name for a site that is the same in every run: value names are unique, node names need not be. */
export function siteName(site: Node | Graph | Value): string {
  if (site instanceof Node) return site.outputs.find((value) => value !== undefined)?.name ?? site.name;
  return site.name;
}
