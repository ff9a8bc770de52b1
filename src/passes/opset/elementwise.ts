// Version steps of the operators that work element by element, and of Cast. Most only accept more element types.
import { isInteger } from '../../tensor/dtype.js';
import { Tensor } from '../../tensor/tensor.js';
import {
  attributeToInput,
  changes,
  elementType,
  givenAttribute,
  refusal,
  type ChangeTable,
  type StepSite,
} from './step.js';

/** The bounds that Clip has when none are given: the finite range of float32. */
const FLOAT_MAX = 3.4028234663852886e38;

/** Clip 11: bounds become inputs of the element type of the data. Bounds at the ends of float32 are the default of both. */
function boundsToInputs(site: StepSite): void {
  for (const [index, name, fallback] of [
    [1, 'min', -FLOAT_MAX],
    [2, 'max', FLOAT_MAX],
  ] as const) {
    if (givenAttribute(site, name) === undefined) continue;
    attributeToInput(site, name, index, (bound) => {
      if (bound.kind !== 'float') throw refusal(site, `its attribute "${name}" is not a number`);
      return Math.fround(bound.value) === fallback ? undefined : Tensor.scalar(elementType(site, 0), bound.value);
    });
  }
}

/** Erf 13 takes floating-point numbers only. */
function floatsOnly(site: StepSite): void {
  if (isInteger(elementType(site, 0))) throw refusal(site, 'it no longer takes integers');
}

/** Broadcasting is the same from opset 7 on; before, operators had an attribute `broadcast`. */
export const ELEMENTWISE: ChangeTable = {
  Abs: changes([13]),
  Acos: changes([22]),
  Acosh: changes([22]),
  Add: changes([13, 14]),
  Asin: changes([22]),
  Asinh: changes([22]),
  Atan: changes([22]),
  Atanh: changes([22]),
  Ceil: changes([13]),
  Cos: changes([22]),
  Cosh: changes([22]),
  Div: changes([13, 14]),
  Elu: changes([22]),
  Equal: changes([11, 13, 19]),
  Exp: changes([13]),
  Floor: changes([13]),
  Greater: changes([9, 13]),
  GreaterOrEqual: changes([16]),
  HardSigmoid: changes([22]),
  HardSwish: changes([22]),
  IsInf: changes([20]),
  IsNaN: changes([13, 20]),
  LeakyRelu: changes([16]),
  Less: changes([9, 13]),
  LessOrEqual: changes([16]),
  Log: changes([13]),
  Max: changes([8, 12, 13]),
  Mean: changes([8, 13]),
  Min: changes([8, 12, 13]),
  Mish: changes([22]),
  Mod: changes([13]),
  Mul: changes([13, 14]),
  Neg: changes([13]),
  PRelu: changes([9, 16]),
  Pow: changes([12, 13, 15]),
  Reciprocal: changes([13]),
  Relu: changes([13, 14]),
  Round: changes([22]),
  Selu: changes([22]),
  Sigmoid: changes([13]),
  Sign: changes([13]),
  Sin: changes([22]),
  Sinh: changes([22]),
  Softplus: changes([22]),
  Softsign: changes([22]),
  Sqrt: changes([13]),
  Sub: changes([13, 14]),
  Sum: changes([8, 13]),
  Tan: changes([22]),
  Tanh: changes([13]),
  ThresholdedRelu: changes([22]),
  Where: changes([16]),
  Cast: changes([9, 13, 19, 21, 23, 24, 25]),
  CastLike: changes([19, 21, 23, 24, 25]),
  Clip: changes([12, 13], { 11: boundsToInputs }),
  Erf: changes([], { 13: floatsOnly }),
};
