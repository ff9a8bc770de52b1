// Whether the samples that are reported are enough to tell a loss within the limit from one beyond it.

/** Samples that a limit should stand for: with fewer, one or two that go the other way decide. */
const CLEAR = 5;

/** A warning where `limit` points are only a few of the reported samples. */
export function fewSamplesWarnings(limit: number, reported: number): string[] {
  const samples = (limit / 100) * reported;
  if (samples >= CLEAR || limit <= 0) return [];
  const wanted = Math.ceil((CLEAR * 100) / limit);
  return [
    `--max-drop ${limit} is ${samples.toFixed(1)} of the ${reported} samples that are reported, so that chance may decide; give so many ` +
      `that ${wanted} are (a quarter of all, of more than 800 half of what 400 leave)`,
  ];
}
