// The report of `quantize`: what became smaller and faster, what was lost, which layers run on integers and why the others
// do not, and how every value was quantized.
import { LOSS, PAIRED, PROPORTION } from './eval-report.js';
import { FIGURES, FILE, REPORT_VERSION } from './facts.js';
import { GATE, MAX_DROP, RUN, SPEED } from './run-facts.js';
import { choice, exactly, list, maybe, object, real, whole, words, type ValueOf } from './shape.js';

const LAYER = object(
  {
    name: words('Node of the float model'),
    opType: words('Operator'),
    form: choice(['int8', 'float'], 'What it was made'),
    code: maybe(words('Code of the reason for float')),
    message: maybe(words('The reason')),
    int8Us: maybe(
      real('Microseconds per run on integers, where it stands in the model, for a layer in float', { min: 0 }),
    ),
    floatUs: maybe(real('Microseconds per run in float there', { min: 0 })),
    outputsDb: maybe(
      real('Signal to noise of the outputs of the model with only this layer on integers, for a layer in float, dB'),
    ),
    fused: maybe(
      choice(
        ['fused', 'not-fused'],
        'Whether ONNX Runtime runs it on integers; absent for float, and where it was not asked',
      ),
    ),
    signalToNoiseDb: maybe(
      real(
        'Its result against that of the float model on calibration samples, dB; absent for equal, and where unknown',
      ),
    ),
    saturating: maybe(real('Share of its output channels that can overflow on x86 without VNNI', { min: 0, max: 1 })),
  },
  'A layer that could be thought of for integers',
);

const RANGE = object({ min: real('Lower end'), max: real('Upper end') }, 'A range');

const VALUE = object(
  {
    name: words('Value of the float model'),
    observed: RANGE,
    range: RANGE,
    calibrator: words('Who chose the range; "fixed": it is known, as that of a sigmoid'),
    scale: real('What one step stands for', { min: 0 }),
    zeroPoint: whole('The integer that stands for 0', {}),
  },
  'A quantized value: the range that was seen, and the one that 8 bits stand for',
);

const MISS = object(
  {
    node: words('Planned as int8'),
    opType: words('Its operator'),
    cause: words('Code of the cause'),
    detail: maybe(words('The cause, with names and numbers')),
    ranAs: maybe(words('What ran instead')),
  },
  'A layer that ONNX Runtime does not run on integers, though it was planned to',
);

const STEP = object(
  {
    float: list(words('Node'), 'Layers in float, beyond those that were so asked or have no kernel'),
    loss: LOSS,
    latencyRatio: maybe(real('Time against the original: below 1 is faster; absent where not timed', { min: 0 })),
  },
  'One candidate',
);

export const QUANTIZE_REPORT = object(
  {
    version: exactly(REPORT_VERSION, 'Version of this format'),
    kind: exactly('quantize', 'Kind of document'),
    input: FILE,
    output: maybe(FILE),
    target: words('Processor that the model is made for'),
    kept: choice(
      ['int8', 'mixed', 'original'],
      'int8: all that was planned; mixed: layers went back to float; original: nothing of int8 was kept, as it was slower',
    ),
    figures: FIGURES,
    speed: SPEED,
    accuracy: object(
      {
        scored: whole('Samples that both models answered; none of them calibrated'),
        loss: maybe(LOSS),
        paired: maybe(PAIRED),
        agreement: maybe(PROPORTION),
      },
      'What was lost against the original',
    ),
    gates: object(
      { maxDrop: MAX_DROP, requireFused: maybe(object({ verdict: GATE }, '--require-fused')) },
      'Gates that were asked for',
    ),
    fusion: object(
      {
        planned: whole('Layers planned as int8'),
        fused: whole('Those that ONNX Runtime runs on integers'),
        misses: list(MISS, 'The others'),
        conversionsInside: whole('Conversions between float and integers inside the model: each costs time'),
        weightsDequantized: whole('Weights that are dequantized again in every run'),
        quantizedAtLoad: list(words('Node'), 'Float layers that ONNX Runtime quantizes by itself'),
      },
      'The proof: what ONNX Runtime makes of the model',
    ),
    layers: list(LAYER, 'Layers in order of execution'),
    values: list(VALUE, 'Quantized values in order of execution'),
    calibration: object(
      {
        samples: whole('Samples, or random inputs'),
        seconds: real('Time it took', { min: 0 }),
        dataFree: choice(['no', 'yes'], 'yes: random inputs in the place of data'),
        cache: maybe(
          object(
            { values: whole('Values whose range it gave'), samples: whole('Samples that it was made of') },
            'The calibration cache that was named',
          ),
        ),
        dataName: maybe(words('Folder or file, without the folder it lies in')),
        preparation: list(words('What was done to the samples'), 'How inputs were made'),
      },
      'What ranges rest on',
    ),
    equalizedLayers: whole('Layers whose channels were scaled so that they are alike'),
    correctedBiases: whole('Biases that mean errors were taken out of'),
    search: list(STEP, 'Candidates that were scored in the search for --max-drop and speed'),
    ...RUN,
  },
  'Report of mcompress quantize, and of mcompress slim --int8',
);

export interface QuantizeReport extends ValueOf<typeof QUANTIZE_REPORT> {}
export type QuantizeLayer = QuantizeReport['layers'][number];
