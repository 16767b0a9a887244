import type { NodeOverride } from '../config/config.js';
import { parseNodeSpecs } from '../nodes/parse.js';
import { readMedianPhases } from '../runs/health.js';
import type { NodeSettings } from '../workflows/load.js';
import type { SaveSettings } from '../workflows/save.js';
import { ramdiskPlan } from './ramdisk-tools.js';
import type { Site } from './site.js';

const MIB = 1_048_576;

/** A transfer may take so many times what the rate alone asks for. */
const TRANSFER_SLACK = 3;
/** An attempt may take so many times what the node's attempts took before. */
const HISTORY_SLACK = 3;
/** Resets, checks, verification: what an attempt needs besides booting and the transfer. */
const AROUND_MS = 120_000;

/** `bandwidthMibps`: what nodes without a rate of their own get; undefined: as the configuration says. */
export type LoadWishes = { reset: boolean; bandwidthMibps: number | undefined; imageBytes: number };

/**
 * What holds for each node: the configuration, what its sections `[node SPECS]` say, and deadlines that fit the image and
 * how long the node took before.
 */
export function loadSettings(
  { reset, bandwidthMibps, imageBytes }: LoadWishes,
  site: Site,
  nodes: readonly string[],
): (node: string) => NodeSettings {
  const { config } = site;
  const ramdiskOf = ramdiskSettings(reset, site);
  const mibps = bandwidthMibps ?? config.networking.bandwidthMibps;
  const overrideOf = overrides(site);
  const history = readMedianPhases(site.stateDir, nodes, 'load');
  const settings = new Map(
    nodes.map((node) => {
      const own = overrideOf(node);
      const ramdisk = ramdiskOf(node);
      const rateBps = Math.round((own.bandwidthMibps ?? mibps) * MIB);
      const sshDeadlineMs = own.timeoutBeforeSshMs ?? config.nodes.timeoutBeforeSshMs;
      const before = Object.values(history.get(node) ?? {}).reduce((sum, ms) => sum + ms, 0);
      const transferMs = (imageBytes * 8 * 1000) / rateBps;
      const attemptDeadlineMs =
        Math.max(
          own.loadTimeoutMs ?? config.nodes.loadTimeoutMs,
          2 * ramdisk.bootDeadlineMs + TRANSFER_SLACK * transferMs + AROUND_MS,
          HISTORY_SLACK * before,
        ) + sshDeadlineMs;
      const one: NodeSettings = { ...ramdisk, rateBps, sshDeadlineMs, attemptDeadlineMs };
      return [node, one] as const;
    }),
  );
  return (node) => {
    const found = settings.get(node);
    if (!found) throw new Error(`no settings of ${node}`);
    return found;
  };
}

/** What holds for each node that is saved: the configuration, and what its sections `[node SPECS]` say. */
export function saveSettings(reset: boolean, site: Site): (node: string) => SaveSettings {
  return ramdiskSettings(reset, site);
}

function ramdiskSettings(reset: boolean, site: Site): (node: string) => SaveSettings {
  const common = ramdiskPlan(reset, site);
  const overrideOf = overrides(site);
  return (node) => {
    const own = overrideOf(node);
    return {
      ...common,
      bootDeadlineMs: own.timeoutBeforeTelnetMs ?? common.bootDeadlineMs,
      graceMs: own.idleAfterResetMs ?? common.graceMs,
      hardDrive: own.hardDrive ?? common.hardDrive,
      stallMs: own.stallTimeoutMs ?? site.config.nodes.stallTimeoutMs,
    };
  };
}

/** What the sections `[node SPECS]` say about a node together, the last one first in rank. */
function overrides({ config, names, inventory }: Site): (node: string) => Partial<NodeOverride> {
  const byNode = new Map<string, Partial<NodeOverride>>();
  for (const override of config.overrides) {
    const words = override.specs.split(/[\s,]+/).filter((word) => word !== '');
    const said = Object.fromEntries(Object.entries(override).filter(([, value]) => value !== undefined));
    for (const number of parseNodeSpecs(words, names, { name: `[node ${override.specs}]`, kind: 'environment' })) {
      const node = inventory.byNumber(number)?.name;
      if (node !== undefined) byNode.set(node, { ...byNode.get(node), ...said });
    }
  }
  return (node) => byNode.get(node) ?? {};
}
