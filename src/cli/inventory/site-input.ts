import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { parseIni } from '../../config/ini-text.js';
import { parseMachineMap } from '../../inventory/generate/machine-map.js';
import { outputFiles, type OutputFile } from '../../inventory/generate/outputs.js';
import { placeMachines } from '../../inventory/generate/place-machines.js';
import { parseSiteDescription } from '../../inventory/generate/site-description.js';
import { messageOf, systemCode, UserError } from '../../util/errors.js';

/** What one site description gives, when nothing is wrong with it. */
export type SiteOutput = { name: string; nodeCount: number; files: readonly OutputFile[] };

/**
 * The files for a site, from its description and the map of machines it names. Throws a UserError (environment) when
 * either cannot be read or the description is no ini text; whatever else is wrong is in `problems`, and then `output`
 * is null.
 */
export async function readSite(file: string): Promise<{ output: SiteOutput | null; problems: string[] }> {
  const { site, problems } = parseSiteDescription(parseIni(await read(file, 'the site description'), file), file);
  if (site === null) return { output: null, problems };
  const mapFile = isAbsolute(site.map) ? site.map : join(dirname(file), site.map);
  const map = parseMachineMap(await read(mapFile, `the machine map of ${file},`), mapFile);
  const placed = placeMachines(site, map.machines, mapFile);
  const found = [...map.problems, ...placed.problems];
  if (found.length > 0) return { output: null, problems: found };
  return { output: { name: site.name, nodeCount: placed.nodes.length, files: outputFiles(site, placed.nodes, file) }, problems: [] };
}

async function read(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const why = systemCode(error) === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw new UserError('environment', `cannot read ${what} ${file}: ${why}`, 'docs/inventory.md says how a site is described', {
      cause: error,
    });
  }
}
