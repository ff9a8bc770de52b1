// Samples made for one model, fed to another: models exported twice differ in the name of their input.
import { UsageError } from '../../base/errors.js';
import type { DataSet, Sample } from '../../data/data-set.js';
import type { PortInfo } from '../../runtime/protocol.js';

export type SampleMapping = (sample: Sample) => Sample;

/**
 * From samples for a model with the inputs `from` to samples for one with the inputs `to`: the same where the names are,
 * renamed where both have one input of one type.
 * @throws UsageError conflict for models with different inputs
 */
export function mapInputs(from: readonly PortInfo[], to: readonly PortInfo[]): SampleMapping {
  const names = new Set(from.map(({ name }) => name));
  if (from.length === to.length && to.every(({ name }) => names.has(name))) return (sample) => sample;
  const [one, other] = [from[0], to[0]];
  if (from.length !== 1 || to.length !== 1 || !one || !other || one.dtype !== other.dtype) {
    const list = (ports: readonly PortInfo[]): string =>
      ports.map(({ name, dtype }) => `${name} (${dtype ?? 'no tensor'})`).join(', ');
    throw new UsageError('conflict', `the model has the inputs ${list(from)}, the reference has ${list(to)}`, {
      fix: 'compare models that take the same inputs',
    });
  }
  return (sample) => ({
    ...sample,
    feeds: new Map([...sample.feeds].map(([name, tensor]) => [name === one.name ? other.name : name, tensor])),
  });
}

/** The data with every sample mapped. */
export function mappedData(data: DataSet, map: SampleMapping): DataSet {
  return {
    path: data.path,
    size: data.size,
    labelled: data.labelled,
    classes: data.classes,
    digest: () => data.digest(),
    async *samples(options) {
      for await (const sample of data.samples(options)) yield map(sample);
    },
    get skipped() {
      return data.skipped;
    },
    warnings: () => data.warnings(),
  };
}
