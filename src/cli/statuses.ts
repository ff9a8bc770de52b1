// What the exit status of the program means, and which environment variables it reads.

export interface Documented {
  readonly name: string;
  readonly meaning: string;
}

export const EXIT_STATUSES: readonly Documented[] = [
  { name: '0', meaning: 'done' },
  {
    name: '1',
    meaning:
      'a gate was not met (--baseline, --strict, --max-drop, --require-fused, outputs that differ): OUT was left alone, the result is OUT.best.onnx',
  },
  { name: '2', meaning: 'the command line or the recipe is wrong' },
  { name: '3', meaning: 'an input cannot be read or is not supported, or an output cannot be written' },
  { name: '4', meaning: 'a defect of mcompress' },
  { name: '130', meaning: 'interrupted: nothing was changed' },
];

export const ENVIRONMENT: readonly Documented[] = [
  { name: 'NO_COLOR', meaning: 'not empty: no colours' },
  { name: 'FORCE_COLOR', meaning: 'colours also where no terminal is; 0: none. It wins over NO_COLOR' },
  { name: 'TERM', meaning: 'dumb: no colours and no spinner' },
  { name: 'CI', meaning: 'set: no spinner' },
  {
    name: 'XDG_CACHE_HOME',
    meaning: 'where layer latencies are kept: $XDG_CACHE_HOME/mcompress, else ~/.cache/mcompress',
  },
];
