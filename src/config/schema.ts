import type { KeySpec, NodeValues, Section, Values } from './section.js';
import { frisbee } from './sections/frisbee.js';
import { leases } from './sections/leases.js';
import { monitor } from './sections/monitor.js';
import { native } from './sections/native.js';
import { networking } from './sections/networking.js';
import { nodes } from './sections/nodes.js';
import { permissions } from './sections/permissions.js';
import { pxelinux } from './sections/pxelinux.js';
import { runs } from './sections/runs.js';
import { testbed } from './sections/testbed.js';

/** Every section, in the order of the documentation. The example file, the validation and `Config` come from here too. */
export const sections = { permissions, leases, testbed, nodes, pxelinux, frisbee, networking, monitor, runs, native };

type Sections = typeof sections;

/** The typed values of all keys, by section and field. */
export type SectionValues = { readonly [S in keyof Sections]: Values<Sections[S]> };

type Union<T> = (T extends unknown ? (each: T) => void : never) extends (all: infer A) => void ? A : never;

/** What a section `[node SPECS]` may hold: undefined where it does not say. */
export type NodeOverrides = Union<{ [S in keyof Sections]: NodeValues<Sections[S]> }[keyof Sections]>;

/** All keys, in the order of the documentation. */
export const allKeys: readonly KeySpec<unknown>[] = Object.values<Section>(sections).flatMap((section) => Object.values(section));

/** The keys that a section `[node SPECS]` may hold: for those nodes they count instead. */
export const nodeKeys: readonly KeySpec<unknown>[] = allKeys.filter(({ perNode }) => perNode);

/** Sections whose keys are names that the site chooses, and what their values are. */
export const freeSections: Readonly<Record<string, string>> = { groups: 'sets of nodes: name = node specs' };
