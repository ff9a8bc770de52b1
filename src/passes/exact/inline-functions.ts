// Puts the bodies of local functions in the place of their calls, so that every other pass sees through them.
import type { Attribute } from '../../ir/attribute.js';
import { inlineGraph } from '../../ir/clone.js';
import { nodesUnder, type LocalFunction, type Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { OptionTable } from '../../base/option.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, removeDead } from '../edit.js';
import { calledFunctions, dropUncalled } from '../local-functions.js';
import { defineGlobalPass, type PassContext } from '../pass.js';
import { takeOver } from '../splice.js';

const DECLINES = {
  'other-opset': 'The body is written for version {body} of the operators of "{domain}", the model for {model}.',
  'runtime-operator':
    'The runtime may have an operator of its own for it: the function stands in the domain "{domain}".',
} as const;

type Context = PassContext<OptionTable, typeof DECLINES>;

export const inlineFunctions = defineGlobalPass({
  name: 'inline-functions',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Replace calls of local functions by their bodies',
  details: `Calls in all graphs are replaced, nested ones too. References to attributes of the call are resolved, with the defaults that
the function declares; optional inputs that a call omits are omitted in the body. A body must be written for the operator
sets of the model; a domain that only it uses is added to them. Functions that nobody calls any more are dropped.`,
  options: {},
  declines: DECLINES,
  stats: { inlined: 'calls of local functions inlined', dropped: 'local functions dropped' },
  run(model, ctx) {
    if (model.functions.length === 0) return;
    // ONNX forbids recursion; a file may have it all the same.
    const recursive = new Set(
      model.functions.filter((candidate) => calledFunctions(model, candidate.graph).has(candidate)),
    );
    const pending = [...model.allNodes()];
    let inlined = 0;
    for (let call = pending.pop(); call !== undefined; call = pending.pop()) {
      const callee = call.isRemoved ? undefined : model.functionOf(call);
      if (!callee || recursive.has(callee) || !canInline(call, callee, ctx) || !ctx.permit(call)) continue;
      pending.push(...inline(call, callee));
      inlined++;
    }
    if (inlined === 0) return;
    ctx.count('inlined', inlined);
    ctx.count('dropped', dropUncalled(model));
  },
});

/** Domains whose operators runtimes implement: a function of these is a fallback. */
const RUNTIME_DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft']);

function canInline(call: Node, callee: LocalFunction, ctx: Context): boolean {
  const { model } = ctx;
  if (RUNTIME_DOMAINS.has(callee.domain)) return ctx.decline(call, 'runtime-operator', { domain: callee.domain });
  for (const domain of operatorDomains(model, callee)) {
    const [body, own] = [callee.opsets.get(domain), model.opsets.get(domain)];
    if (own !== undefined && body !== own)
      return ctx.decline(call, 'other-opset', { domain: domain || 'ai.onnx', body: body ?? 'none', model: own });
  }
  if (call.inputs.length > callee.graph.inputs.length || call.outputs.length > callee.graph.outputs.length)
    return false;
  return !callee.graph.inputs.some((input, i) => call.inputs[i] === undefined && input.isGraphOutput);
}

/** Domains of the operators in the body, calls of functions aside. */
function operatorDomains(model: Model, callee: LocalFunction): Set<string> {
  const domains = new Set<string>();
  for (const node of nodesUnder(callee.graph)) if (!model.functionOf(node)) domains.add(node.domain);
  return domains;
}

/** Returns the nodes that now stand in the place of the call, those of subgraphs included. */
function inline(call: Node, callee: LocalFunction): Node[] {
  const graph = graphOf(call);
  const { model } = graph;
  importDomains(model, callee);
  const mapping = new Map<Value, Value>();
  // An input that the call omits has no value to stand for it: a constant does until the copies are made.
  const omitted: Value[] = [];
  callee.graph.inputs.forEach((input, i) => {
    const value = call.inputs[i] ?? graph.addInitializer(Tensor.scalar('bool', 0), input.name);
    if (value !== call.inputs[i]) omitted.push(value);
    mapping.set(input, value);
  });
  const given = (name: string): Attribute | undefined => call.attribute(name) ?? callee.attributeDefaults?.get(name);
  const start = call.previous;
  const results = inlineGraph(callee.graph, {
    into: graph,
    before: call,
    mapping,
    attribute: (attribute) => (attribute.kind === 'reference' ? given(attribute.name) : attribute),
    nodeName: (name) => (call.name === '' ? name : `${call.name}/${name}`),
  });
  for (const value of omitted) omit(value);
  const copies: Node[] = [];
  for (let node = start ? start.next : graph.first; node && node !== call; node = node.next) {
    copies.push(node, ...node.subgraphs().flatMap((inner) => [...nodesUnder(inner)]));
  }
  takeOver(call, results);
  removeDead(results);
  return copies;
}

/** Empties the input slots that `value` fills. */
function omit(value: Value): void {
  for (const reader of value.consumers()) {
    for (const [slot, input] of [...reader.inputs.entries()])
      if (input === value) graphOf(reader).setInput(reader, slot, undefined);
  }
  value.graph?.removeInitializer(value);
}

function importDomains(model: Model, callee: LocalFunction): void {
  const missing = [...operatorDomains(model, callee)].filter((domain) => !model.opsets.has(domain));
  if (missing.length === 0) return;
  model.setOpsets(
    new Map([...model.opsets, ...missing.map((domain) => [domain, callee.opsets.get(domain) ?? 1] as const)]),
  );
}
