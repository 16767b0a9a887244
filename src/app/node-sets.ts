import { nearest } from '../util/nearest.js';
import { nodeNumber, type NodeNames } from '../nodes/names.js';
import { parseNodeSpecs, shown, type SetResolver } from '../nodes/parse.js';
import { findRun, targetsByOutcome, type StoredRun } from '../runs/store.js';
import { UserError } from '../util/errors.js';

const outcomes = ['failed', 'ok', 'skipped', 'all'] as const;

/**
 * What `@...` means in node specs: with a colon the nodes of a run by how it went for them, else a group of the
 * configuration. `stateDir` is where runs are kept; null when there is no such place.
 */
export function setResolver(groups: ReadonlyMap<string, string>, names: NodeNames, stateDir: string | null): SetResolver {
  const open: string[] = [];
  const resolve: SetResolver = (reference) => {
    const colon = reference.indexOf(':');
    if (colon >= 0) return nodesOfRun(reference.slice(0, colon), reference.slice(colon + 1), names, stateDir);
    const name = reference.toLowerCase();
    const specs = groups.get(name);
    if (specs === undefined) throw unknownGroup(reference, groups, open.at(-1));
    if (open.includes(name))
      throw new UserError(
        'environment',
        `groups.${name}: the group holds itself: ${[...open, name].join(' -> ')}`,
        'see section [groups] of the configuration',
      );
    open.push(name);
    try {
      return parseNodeSpecs(
        specs.split(/[\s,]+/).filter((word) => word !== ''),
        names,
        { name: `groups.${name}`, kind: 'environment' },
        resolve,
      );
    } finally {
      open.pop();
    }
  };
  return resolve;
}

function unknownGroup(reference: string, groups: ReadonlyMap<string, string>, inside: string | undefined): UserError {
  const where = inside === undefined ? '' : `groups.${inside}: `;
  const kind = inside === undefined ? 'usage' : 'environment';
  const message = `${where}there is no group ${JSON.stringify(shown(reference))}`;
  if (outcomes.some((how) => how === reference))
    return new UserError(kind, message, `for the nodes of a run, say which: @${reference}:last`);
  const near = nearest(reference.toLowerCase(), groups.keys());
  const known = [...groups.keys()]
    .slice(0, 10)
    .map((name) => `@${name}`)
    .join(', ');
  return new UserError(
    kind,
    message,
    near !== null
      ? `did you mean @${near}?`
      : known === ''
        ? 'section [groups] of the configuration has none: usrp = 1,5,9-11'
        : `there are ${known}`,
  );
}

function nodesOfRun(how: string, run: string, names: NodeNames, stateDir: string | null): number[] {
  const outcome = outcomes.find((each) => each === how);
  if (outcome === undefined) {
    const near = nearest(how, outcomes);
    throw new UserError(
      'usage',
      `"@${shown(`${how}:${run}`)}" is no set of nodes of a run`,
      near === null ? `say ${outcomes.map((each) => `@${each}:RUN`).join(', ')}` : `did you mean @${near}:${shown(run)}?`,
    );
  }
  if (stateDir === null)
    throw new UserError('environment', 'there is no folder of runs', 'set dir in section [runs] of the configuration, or HOME');
  return namesIn(findRun(stateDir, run), outcome).map((node) => numberInRun(node, names));
}

function namesIn(run: StoredRun, outcome: (typeof outcomes)[number]): readonly string[] {
  if (outcome === 'all') return run.plan.targets;
  const nodes = targetsByOutcome(run);
  if (outcome === 'skipped' && run.standing === 'died') return [...nodes.skipped, ...nodes.left];
  return nodes[outcome];
}

function numberInRun(node: string, { regularName }: NodeNames): number {
  const number = nodeNumber(node, regularName);
  if (number === null)
    throw new UserError(
      'usage',
      `the run has a node ${JSON.stringify(node)}, and nodes are called ${regularName}01 here`,
      'testbed.regularname has changed since',
    );
  return number;
}
