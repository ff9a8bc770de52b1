// The names in use in a model. Sibling subgraphs may use the same name for different values, so names are counted.

export class NameTable {
  readonly #counts = new Map<string, number>();
  /** Next suffix to try per hint: keeps `unique` from searching again and again. */
  readonly #suffixes = new Map<string, number>();
  /** Names handed out by `unique`, in use or about to be. */
  readonly #issued = new Set<string>();

  #ordinal = 0;

  /** Numbers values in the order of their making. */
  nextOrdinal(): number {
    return this.#ordinal++;
  }

  take(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  release(name: string): void {
    const count = (this.#counts.get(name) ?? 0) - 1;
    if (count > 0) this.#counts.set(name, count);
    else this.#counts.delete(name);
  }

  /** More than one value bears this name. */
  isShared(name: string): boolean {
    return (this.#counts.get(name) ?? 0) > 1;
  }

  has(name: string): boolean {
    return this.#counts.has(name);
  }

  /** Frees names that were handed out and are not in use: after a roll-back, so that a second run names alike. */
  forgetIssued(): void {
    this.#issued.clear();
    this.#suffixes.clear();
  }

  /** `hint` when it is free, else `hint_1`, `hint_2`, ...; never the same name twice. */
  unique(hint: string): string {
    const base = hint === '' ? 'value' : hint;
    let name = base;
    let suffix = this.#suffixes.get(base) ?? 0;
    while (this.#counts.has(name) || this.#issued.has(name)) name = `${base}_${++suffix}`;
    this.#suffixes.set(base, suffix);
    this.#issued.add(name);
    return name;
  }
}
