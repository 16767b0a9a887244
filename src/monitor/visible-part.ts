/** As many items as there is space for, with the one at `index` among them, in the middle where possible. */
export function windowAround<T>(items: readonly T[], index: number, space: number): T[] {
  const first = Math.min(Math.max(0, index - Math.floor(space / 2)), Math.max(0, items.length - space));
  return items.slice(first, first + space);
}
