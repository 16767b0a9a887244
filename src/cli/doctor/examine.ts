import { loadConfig, type LoadedConfig } from '../../config/read-config.js';
import { runsDir } from '../../config/runs-dir.js';
import type { Inventory } from '../../inventory/inventory.js';
import { loadInventory } from '../../inventory/read-inventory.js';
import { inventoryWarnings } from '../../inventory/warnings.js';
import { switchOff } from '../../native/switches.js';
import { fold } from '../../nodes/names.js';
import { checkKnown } from '../../nodes/select.js';
import { UserError } from '../../util/errors.js';
import type { CommandContext } from '../kit/command.js';
import { configWarnings } from '../inventory/check.js';
import { namesOf, selection, setsOf, type NodeRequest } from '../../app/site.js';
import { counted, ok, problem, warning, type ConfiguredGateway, type Finding, type Gateway, type ExaminedSite } from './finding.js';

/** What the other checks work on, and what came out of reading it. */
export type Examination = {
  gateway: Gateway;
  /** Null when the configuration is broken. */
  configured: ConfiguredGateway | null;
  /** Null when there is no configuration or no inventory. */
  site: ExaminedSite | null;
  results: readonly { name: string; findings: readonly Finding[] }[];
};

/**
 * Reads configuration and inventory; what is wrong with them is a finding, and the checks that can do without go on.
 *
 * @throws UserError `usage` for nodes that make no sense
 */
export async function examine(request: NodeRequest, context: CommandContext): Promise<Examination> {
  const { host } = context;
  const read = await attempt(() => loadConfig(host));
  const gateway: Gateway = { host, nodeCount: 0 };
  if ('error' in read)
    return { gateway, configured: null, site: null, results: [{ name: 'configuration', findings: brokenFindings(read.error) }] };
  const { config } = read.value;
  switchOff(config.native.off);
  const configured: ConfiguredGateway = { ...gateway, config, stateDir: await runsDir(config.runs.dir, host) };
  const configuration = { name: 'configuration', findings: configFindings(read.value) };
  const inventory = await attempt(() => loadInventory(config.testbed.inventoryPath, namesOf(config)));
  if ('error' in inventory)
    return {
      gateway,
      configured,
      site: null,
      results: [configuration, { name: 'inventory', findings: brokenFindings(inventory.error, NEW_INVENTORY) }],
    };
  const site = await siteOf(configured, inventory.value, request, context);
  return { gateway: site, configured: site, site, results: [configuration, { name: 'inventory', findings: inventoryFindings(site) }] };
}

async function siteOf(
  configured: ConfiguredGateway,
  inventory: Inventory,
  request: NodeRequest,
  context: CommandContext,
): Promise<ExaminedSite> {
  let named: ExaminedSite['named'] = [];
  if (request.words.length > 0 || request.allNodes) {
    const selected = selection(request, configured.config, context.host, await setsOf(configured.config, context));
    checkKnown(selected, inventory.numbers, namesOf(configured.config));
    named = selected.numbers.flatMap((number) => inventory.byNumber(number) ?? []);
  }
  const nodes = named.length > 0 ? named : inventory.nodes;
  return { ...configured, inventory, nodes, named, nodeCount: inventory.nodes.length };
}

function configFindings({ warnings, describe }: LoadedConfig): Finding[] {
  const files = [...new Set(describe().map(({ source }) => source))].filter((source) => source !== 'default');
  const all = warnings.map((text) =>
    text.includes(' is missing: ')
      ? warning(text, null, 'cp etc/imaging.conf.example /etc/imaging.conf, from the folder of the package, and edit it')
      : warning(
          text,
          'what a file says there counts for nothing',
          'correct it or take it out; docs/configuration.md has every key, imaging-config shows what counts',
        ),
  );
  return all.length > 0 ? all : [ok(files.length === 0 ? 'defaults only' : files.join(', '))];
}

function inventoryFindings({ config, inventory }: ExaminedSite): Finding[] {
  const texts = [...inventoryWarnings(inventory, namesOf(config)), ...configWarnings(config, inventory)];
  if (texts.length === 0) return [ok(`${inventory.path}: ${counted(inventory.nodes.length, 'node')}, ${fold(inventory.numbers)}`)];
  return texts.map((text) =>
    warning(
      `${inventory.path}: ${text}`,
      null,
      'correct it there, or in the site description that it is made from; imaging-inventory check shows these lines again',
    ),
  );
}

const NEW_INVENTORY =
  'a new one: start from inventory/example.json of the package, or describe the site and let imaging-inventory generate make it';

/** The error's lines are one problem each: configuration and inventory list all they find. */
function brokenFindings(error: UserError, more: string | null = null): Finding[] {
  return error.message.split('\n').map((line) => problem(line, null, ...[error.hint, more].filter((step) => typeof step === 'string')));
}

async function attempt<T>(work: () => Promise<T>): Promise<{ value: T } | { error: UserError }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof UserError) return { error };
    throw error;
  }
}
