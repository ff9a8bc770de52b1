// The report of `inspect`: what a model is, what it costs, and what stands in the way of mobile runtimes.
import { CHANNEL_GROUP } from './channel-groups.js';
import { FILE, LAYER, REPORT_VERSION, VERSIONS } from './facts.js';
import { choice, either, exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';

const DIMENSION = either(whole('Size'), words('Name of a symbolic dimension; "?" for an unknown one'), 'Dimension');

const PORT = object(
  {
    name: words('Name'),
    type: words('Element type, or the type in words for sequences, maps and optionals'),
    shape: maybe(list(DIMENSION, 'Shape')),
    overridable: maybe(exactly('open', 'An input that has an initializer, and that a caller may override')),
  },
  'A graph input or output',
);

const OBSTACLE = object(
  {
    target: words('Runtime or format it concerns: ORT mobile, NNAPI, CoreML, XNNPACK, any'),
    code: words('Code'),
    message: words('What stands in the way, and what to do'),
    count: whole('Nodes or values', { min: 1 }),
    examples: list(words('Node or value'), 'Some of them'),
  },
  'An obstacle',
);

export const INSPECT_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('inspect', 'Kind of document'),
    file: FILE,
    model: object(
      {
        irVersion: whole('IR version'),
        opsets: list(
          object({ domain: words('Domain; "ai.onnx" for the default one'), version: whole('Version') }, 'One opset'),
          'Opsets',
        ),
        producer: maybe(words('Producer and its version')),
        graph: maybe(words('Name of the graph')),
        functions: whole('Local functions'),
        subgraphs: whole('Graphs inside nodes'),
        externalFiles: list(words('File name'), 'Files of external data'),
        weightInputs: whole('Initializers that the file lists as graph inputs too, and that count as constants'),
      },
      'The model',
    ),
    inputs: list(PORT, 'Inputs'),
    outputs: list(PORT, 'Outputs'),
    dynamicDimensions: list(
      object(
        {
          name: words('Symbol, or "?" for dimensions without a name'),
          values: list(words('Input'), 'Inputs that have it'),
        },
        'One dimension',
      ),
      'Dimensions that are not fixed',
    ),
    figures: object(
      {
        nodes: whole('Nodes, those of subgraphs included'),
        parameters: whole('Elements of all initializers and constants'),
        weightBytes: whole('Bytes of all initializers and constants'),
        macs: maybe(whole('Multiply-accumulates of one run; FLOPs are twice that')),
        peakActivationBytes: maybe(whole('Largest sum of activations alive at one time')),
        bytesMoved: maybe(whole('Bytes that all nodes read and write')),
        energyPj: maybe(real('Energy proxy, picojoules by the 45 nm table', { min: 0 })),
        nodesNotCounted: maybe(whole('Nodes whose operator or shape is not known: costs leave them out')),
      },
      'What it needs',
    ),
    weights: list(
      object({ type: words('Element type'), count: whole('Tensors'), bytes: whole('Bytes') }, 'One element type'),
      'Weights by type',
    ),
    layerKinds: object(
      {
        tensorNodes: whole('Layers with a learned weight of higher order'),
        nonTensorNodes: whole('All other layers'),
        tensorMacs: maybe(whole('Multiply-accumulates of the first kind')),
        nonTensorMacs: maybe(whole('Multiply-accumulates of the second kind')),
        tensorBytes: maybe(whole('Bytes moved by the first kind')),
        nonTensorBytes: maybe(whole('Bytes moved by the second kind')),
      },
      'Tensor and non-tensor layers in the sense of DeepRebirth',
    ),
    operators: list(
      object(
        {
          opType: words('Operator'),
          count: whole('Nodes'),
          parameters: whole('Elements of their weights'),
          macs: maybe(whole('Multiply-accumulates')),
          support: maybe(choice(['known', 'opaque'], 'opaque: mcompress has no record of it and leaves it alone')),
        },
        'One operator',
      ),
      'Operators',
    ),
    layers: list(object({ name: words('Node'), facts: LAYER }, 'One layer'), 'Layers in order of execution'),
    channelGroups: maybe(list(CHANNEL_GROUP, 'Groups of channels, where --groups asks for them')),
    obstacles: list(OBSTACLE, 'Obstacles for mobile runtimes'),
    operatorLists: list(
      object({ target: words('Runtime'), source: words('Where its list of operators comes from') }, 'One list'),
      'Operators that runtimes take, by name',
    ),
    versions: VERSIONS,
    warnings: list(words('Warning'), 'Warnings'),
  },
  'Report of mcompress inspect',
);

export interface InspectReport extends ValueOf<typeof INSPECT_REPORT> {}
