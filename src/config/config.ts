import type { MulticastSlot } from './patterns.js';
import type { KeySpec } from './section.js';
import { nodeKeys, type NodeOverrides, type SectionValues, sections } from './schema.js';

/** The whole configuration, typed. Times are milliseconds; paths are absolute; null says that a key is empty. */
export type Config = Omit<SectionValues, 'networking'> & {
  readonly networking: Omit<SectionValues['networking'], keyof SlotPattern> & {
    /** Where loads may send, slot 1 first. */
    readonly slots: readonly MulticastSlot[];
  };
  /** Node specs by the name of the group, which is in lower case; their grammar is checked where they are used. */
  readonly groups: ReadonlyMap<string, string>;
  /** What differs for single nodes; where several hold for a node, the last one that has a key counts. */
  readonly overrides: readonly NodeOverride[];
};

/** What the slots are made of. */
export type SlotPattern = Pick<SectionValues['networking'], 'groupPattern' | 'portPattern' | 'patternSize'>;

/** The section `[node SPECS]`: what it does not say is undefined. */
export type NodeOverride = NodeOverrides & { readonly specs: string };

/** Gives the typed value of a key. */
export type Read = <T>(spec: KeySpec<T>) => T;

/** The values of all keys. */
export function readSections(read: Read): SectionValues {
  const values = Object.entries(sections).map(([name, keys]) => [
    name,
    Object.fromEntries(Object.entries(keys).map(([field, spec]) => [field, read<unknown>(spec)])),
  ]);
  return Object.fromEntries(values) as SectionValues; // as: made field by field from the table that the type comes from
}

/** Fills in a `NodeOverride`. `read` gives undefined for a key that the section does not have. */
export function readOverride(specs: string, read: <T>(spec: KeySpec<T>) => T | undefined): NodeOverride {
  const values = Object.fromEntries(nodeKeys.map((spec) => [spec.field, read(spec)]));
  return { specs, ...values } as NodeOverride; // as: likewise
}
