// Version steps of control flow, constants, random numbers, optional values: element types only, but for Scan.
import { changes, type ChangeTable } from './step.js';

export const CONTROL: ChangeTable = {
  Bernoulli: changes([22]),
  Constant: changes([9, 11, 12, 13, 19, 21, 23, 24, 25]),
  ConstantOfShape: changes([20, 21, 23, 24, 25]),
  EyeLike: changes([22]),
  If: changes([11, 13, 16, 19, 21, 23, 24, 25]),
  Loop: changes([11, 13, 16, 19, 21, 23, 24, 25]),
  Multinomial: changes([22]),
  OptionalGetElement: changes([18]),
  OptionalHasElement: changes([18]),
  RandomNormal: changes([22]),
  RandomNormalLike: changes([22]),
  RandomUniform: changes([22]),
  RandomUniformLike: changes([22]),
  Scan: changes([11, 16, 19, 21, 23, 24, 25], {
    9: { refuse: 'it ran the body for every sample of a batch, along axis 1, and no longer does' },
  }),
};
