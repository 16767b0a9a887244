/**
 * The keys of one file that were written for this tool's relatives: all of them in one warning, as a file that serves
 * another tool as well would give one for every other line.
 */
export class ForeignKeys {
  readonly #renamed: string[] = [];
  readonly #dropped = new Set<string>();

  /** A key that counts under another name; both as `section.key`. */
  rename(written: string, here: string): void {
    this.#renamed.push(`${written} -> ${here}`);
  }

  /** A key without effect; `wholeSection` when its section has none at all but for keys that were renamed. */
  drop(section: string, writtenKey: string, wholeSection: boolean): void {
    this.#dropped.add(wholeSection ? `[${section}]` : `${section}.${writtenKey}`);
  }

  /** One line, or none. */
  warnings(file: string): string[] {
    const parts = [
      ...(this.#renamed.length > 0 ? [`renamed here: ${this.#renamed.join(', ')}`] : []),
      ...(this.#dropped.size > 0 ? [`without effect: ${[...this.#dropped].join(', ')}`] : []),
    ];
    return parts.length === 0 ? [] : [`${file}: keys of a relative of this tool: ${parts.join('; ')} (docs/configuration.md says why)`];
  }
}
