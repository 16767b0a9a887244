import { loadConfig } from '../../config/read-config.js';
import { findCandidates, findImage, placesFor, type ImageRef } from '../../images/find.js';
import { doubtOf, readProvenance, type Provenance } from '../../images/records.js';
import { formatBytes } from '../../monitor/format.js';
import { UserError } from '../../util/errors.js';
import { say, warn } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { writeJson } from '../kit/actions.js';
import { minute } from './list-images.js';
import type { resolveSpec } from './resolve.spec.js';

/** What `--json` prints; `others` is what else the name could mean. */
export type ResolveReport = ImageRef & { provenance: Provenance | null; others: ImageRef[] };

/** Prints the file that `imaging-load -i NAME` would take; with -v what is known of it, and what else the name could mean. */
export async function run({ words, options }: ArgumentsOf<typeof resolveSpec>, context: CommandContext): Promise<number> {
  if (words.length > 1) throw new UserError('usage', `one name at a time, not ${words.length}`, 'usage: imaging-resolve [-v] [NAME]');
  const { config, warnings } = await loadConfig(context.host);
  for (const line of warnings) warn(context.stderr, line);
  const places = placesFor(words[0], { imagesDir: config.frisbee.imagesDir, cwd: context.host.cwd() });
  const name = words[0] ?? config.frisbee.defaultImage;
  const image = await findImage(name, places);
  const provenance = await readProvenance(image.realPath).catch(() => null); // nothing we could show
  const others = (await findCandidates(name, places)).filter(({ path }) => path !== image.path);
  if (options.json) {
    writeJson(context, { ...image, provenance, others } satisfies ResolveReport);
    return exitCodes.ok;
  }
  say(context.stdout, image.path);
  if (options.verbose) for (const line of details(image, provenance, others)) say(context.stdout, `  ${line}`);
  return exitCodes.ok;
}

function details(image: ImageRef, provenance: Provenance | null, others: readonly ImageRef[]): string[] {
  const doubt = doubtOf(provenance, image.sizeBytes);
  return [
    ...(image.realPath === image.path ? [] : [`leads to ${image.realPath}`]),
    `${minute(image.mtimeMs)}, ${formatBytes(image.sizeBytes)}`,
    ...(provenance === null
      ? []
      : [`saved from ${provenance.node} by ${provenance.by}${provenance.comment === null ? '' : `: ${provenance.comment}`}`]),
    ...(doubt === null ? [] : [`BEWARE: it was ${doubt}`]),
    ...others.map(({ path, mtimeMs, sizeBytes }) => `not taken: ${path}, ${minute(mtimeMs)}, ${formatBytes(sizeBytes)}`),
  ];
}
