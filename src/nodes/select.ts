import { UserError } from '../util/errors.js';
import { looksLikeImage } from './image-words.js';
import { ascending, fold, type NodeNames } from './names.js';
import { applyNodeSpecs, type SetResolver } from './parse.js';

/** What decides on the nodes of a command. */
export type SelectionInput = {
  /** The node specs of the command line. */
  args: readonly string[];
  /** Whether `-a` was given; it applies first, wherever it stood. */
  allNodes: boolean;
  env: Readonly<{ NODES?: string | undefined; ALL_NODES?: string | undefined }>;
  /** Configuration `testbed.all_scope`; null when it is not set. */
  allScope: string | null;
  names: NodeNames;
  /** What `@group` and `@failed:RUN` stand for. */
  resolve?: SetResolver;
};

/** Node numbers, ascending, and the words they were made from (for `checkKnown` and `emptySelection`). */
export type Selection = { numbers: number[]; words: string[] };

/**
 * The nodes a command works on. `-a` starts from `ALL_NODES` (blanks or commas) when it is not empty, else from
 * `testbed.all_scope`; the arguments apply on top, left to right. Without arguments and without `-a`, `NODES` is used
 * (blanks). Arguments make `NODES` irrelevant. The result may be empty.
 *
 * @throws UserError `usage` for a misformed word or when nothing says which nodes; `environment` when `testbed.all_scope` is misformed.
 */
export function selectNodes({ args, allNodes, env, allScope, names, resolve }: SelectionInput): Selection {
  const selected = new Set<number>();
  const words: string[] = [];
  const apply = (more: readonly string[], name: string | null, kind: 'usage' | 'environment' = 'usage'): void => {
    applyNodeSpecs(selected, more, names, { name, kind }, resolve);
    words.push(...more);
  };

  if (allNodes) {
    const fromEnv = split(env.ALL_NODES, /[\s,]+/);
    const fromConfig = split(allScope, /[\s,]+/);
    if (fromEnv.length > 0) apply(fromEnv, 'ALL_NODES');
    else if (fromConfig.length > 0) apply(fromConfig, 'testbed.all_scope', 'environment');
    else
      throw new UserError(
        'usage',
        '-a: nothing says which nodes are all nodes',
        'set ALL_NODES, or all_scope in section [testbed] of the configuration',
      );
  }
  if (args.length > 0) apply(args, null);
  else if (!allNodes) {
    const fromEnv = split(env.NODES, /\s+/);
    if (fromEnv.length === 0) throw new UserError('usage', 'no node given', 'name some (1-12 ~4), set NODES, or use -a');
    apply(fromEnv, 'NODES');
  }
  return { numbers: ascending(selected), words };
}

/**
 * Refuses nodes that the inventory does not hold.
 *
 * @param known whether a number is in the inventory: its numbers as a set, or anything with `has`
 * @throws UserError `usage` listing the unknown ones, folded; asks "did you forget -i?" when a word looks like an image
 */
export function checkKnown({ numbers, words }: Selection, known: { has(number: number): boolean }, names: NodeNames): void {
  const unknown = numbers.filter((number) => !known.has(number));
  if (unknown.length === 0) return;
  const list = cut(fold(unknown), 200);
  const what = unknown.length === 1 ? `node ${list} is` : `nodes ${list} are`;
  throw new UserError('usage', `${what} not in the inventory`, forgottenImage(words, names) ?? "'imaging-list -n' shows the inventory");
}

/** What load, save and wait throw when the selection came out empty (`imaging-nodes` prints nothing and exits 0). */
export function emptySelection({ words }: Selection, names: NodeNames): UserError {
  const selection = cut(words.join(' '), 200);
  return new UserError(
    'usage',
    `the selection is empty: ${selection}`,
    forgottenImage(words, names) ??
      "words apply from left to right: '1-12 ~4', not '~4 1-12'; 5-3 is empty, and so may be a set such as @failed:last",
  );
}

function forgottenImage(words: readonly string[], names: NodeNames): string | null {
  const image = words.find((word) => looksLikeImage(word, names));
  return image === undefined ? null : `"${cut(image, 60)}" looks like an image: did you forget -i?`;
}

function split(text: string | null | undefined, separator: RegExp): string[] {
  return (text ?? '').split(separator).filter((word) => word !== '');
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}
