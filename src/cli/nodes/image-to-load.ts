import { basename, join } from 'node:path';
import { ensureNdz } from '../../images/convert.js';
import { findImage, placesFor, type ImageRef } from '../../images/find.js';
import { doubtOf, readProvenance } from '../../images/records.js';
import { judgeImage, vouchHint } from '../../images/whole.js';
import { inspectImage } from '../../ndz/read/inspect.js';
import type { Site } from '../../app/site.js';
import { Failure, UserError } from '../../util/errors.js';
import type { LoadPlan } from '../../workflows/load.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { ProgressBar } from '../kit/progress-bar.js';
import type { loadSpec } from './load.spec.js';

/** Where each phase of a conversion begins, and its share of the whole. */
const PHASES = { hash: [0, 0.05], unpack: [0.05, 0.25], zip: [0.3, 0.7] } as const;

type LoadOptions = Pick<ArgumentsOf<typeof loadSpec>['options'], 'image' | 'force' | 'progress'>;

/** An image that may be loaded. `clearEnd`: the end of a larger disk may be cleared; `doubts`: what there is to be said of it. */
export type ImageToLoad = Pick<LoadPlan, 'image' | 'clearEnd' | 'tableSectorBytes'> & { doubts: string[] };

/** Finds the image, converts what is none of ours, and refuses what would not boot. Throws UserErrors. */
export async function imageToLoad(options: LoadOptions, site: Site, context: CommandContext): Promise<ImageToLoad> {
  const { frisbee } = site.config;
  const asked = options.image;
  const found = await findImage(asked ?? frisbee.defaultImage, placesFor(asked, { imagesDir: frisbee.imagesDir, cwd: context.host.cwd() }));
  const doubts = await originDoubts(found, options.force);
  const ndz = await ndzOf(found.path, options.progress, site, context);
  doubts.push(...ndz.notes.map((note) => `${basename(found.path)}: ${note}`));
  const image = await inspectImage(ndz.path, { signal: context.signal });
  const { cut, note, tableSectorBytes } = await judgeImage(image, context.signal);
  if (cut !== null)
    throw new UserError(
      'environment',
      `${found.path}: ${cut}`,
      image.path === found.path ? vouchHint(found.path, image) : 'copy the image again',
    );
  if (note !== null) doubts.push(`${basename(found.path)}: ${note}`);
  if (tableSectorBytes === 4096)
    doubts.push(`${basename(found.path)}: its partition table is for disks with sectors of 4096 bytes, and is not found on others`);
  return {
    image: { ...image, name: found.name },
    doubts,
    // what its table speaks of may lie behind it, and a version 1 does not say how large its disk was
    clearEnd: note === null && image.version > 1,
    tableSectorBytes,
  };
}

/**
 * What the image's origin says against it. From a half-written disk comes nothing that boots: refused without --force.
 * One that nobody has read back may well be good, and is only warned of.
 */
async function originDoubts({ name, realPath, sizeBytes }: ImageRef, force: boolean): Promise<string[]> {
  try {
    const provenance = await readProvenance(realPath);
    const doubt = doubtOf(provenance, sizeBytes);
    if (doubt === null) return [];
    if (!force && provenance?.disk !== null && provenance?.disk !== 'unverified')
      throw new UserError(
        'refused',
        `image ${name} was ${doubt}`,
        'save it again from a node that runs well; --force loads it all the same',
      );
    return [`image ${name} was ${doubt}: it may not boot`];
  } catch (error) {
    if (error instanceof Failure) return [error.message];
    throw error;
  }
}

/** The image itself, or what it was converted to: nodes can take .ndz alone. */
async function ndzOf(
  path: string,
  mode: LoadOptions['progress'],
  site: Site,
  context: CommandContext,
): Promise<{ path: string; notes: readonly string[] }> {
  const progress = new ProgressBar(context, `converting ${basename(path)}`, mode === 'quiet' || mode === 'json');
  try {
    return await ensureNdz(path, {
      cacheDir: join(site.stateDir, 'converted'),
      largestDiskBytes: site.config.frisbee.largestDiskGb * 1e9,
      host: context.host,
      signal: context.signal,
      onProgress: (phase, done, total) => progress.update(PHASES[phase][0] * total + done * PHASES[phase][1], total),
    });
  } finally {
    progress.end();
  }
}
