// `--input` and `--freeze`: shapes of inputs. The name may be left out when a model has one input.
import { UsageError } from '../base/errors.js';
import { FLAGS } from './flags.js';

/**
 * Sizes per input from `NAME:1x3x224x224`, or `1x3x224x224` filed under '' for the only input. Names may hold colons.
 * @throws UsageError bad-value
 */
export function shapeFlags(
  flag: 'input' | 'freeze',
  texts: readonly string[] | undefined,
): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const text of texts ?? []) {
    const colon = text.lastIndexOf(':');
    const shape = text.slice(colon + 1);
    if (!/^(\d+([x,]\d+)*)?$/.test(shape) || (colon < 0 && shape === '')) {
      throw new UsageError('bad-value', `--${FLAGS[flag].name} cannot be ${JSON.stringify(text)}`, {
        fix: `write NAME:SIZExSIZE, for example --${flag} x:1x3x224x224`,
      });
    }
    shapes.set(colon < 0 ? '' : text.slice(0, colon), shape === '' ? [] : shape.split(/[x,]/).map(Number));
  }
  return shapes;
}
