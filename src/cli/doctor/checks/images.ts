import { constants } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { findImage, placesFor, listImages } from '../../../images/find.js';
import { formatOfFile } from '../../../images/formats.js';
import { judgeImage } from '../../../images/whole.js';
import { Failure } from '../../../util/errors.js';
import { formatBytes } from '../../../monitor/format.js';
import { inspectImage } from '../../../ndz/read/inspect.js';
import { counted, ok, problem, warning, type Check, type ConfiguredGateway, type Finding } from '../finding.js';
import { ownership, statOrNull, whyNot, whyNotWritable } from '../files.js';
import { fail as imagesFail } from '../../../images/failures.js';

/** Less than this left is too little whatever the images are. */
const LITTLE_BYTES = 256 * 1_048_576;

export const imagesFolder = {
  name: 'images',
  needs: 'configuration',
  run: async (gateway) => {
    const dir = gateway.config.frisbee.imagesDir;
    const info = await statOrNull(dir);
    if (!info?.isDirectory())
      return [problem(`frisbee.images_dir: there is no folder ${dir}`, null, `mkdir -p ${dir}, or set images_dir in section [frisbee]`)];
    const unreadable = await whyNot(dir, constants.R_OK | constants.X_OK);
    if (unreadable !== null) return [problem(`${dir} cannot be read (${unreadable}; ${ownership(info)})`, null, `chmod a+rx ${dir}`)];
    return [await writableFinding(gateway, ownership(info)), await spaceFinding(dir)];
  },
} satisfies Check;

async function writableFinding({ config, host }: ConfiguredGateway, owner: string): Promise<Finding> {
  const dir = config.frisbee.imagesDir;
  const images = await listImages(dir);
  const broken = images.filter(({ brokenLinkTo }) => brokenLinkTo !== null);
  if (broken.length > 0)
    return warning(
      `${dir}: ${broken.map(({ name }) => name).join(', ')}: links that lead nowhere`,
      null,
      'restore what they lead to, or remove them',
    );
  const why = host.uid() === 0 ? await whyNotWritable(dir) : null; // others save into the current folder
  if (why !== null)
    return problem(
      `root may not write in ${dir} (${why}; ${owner})`,
      "imaging-save puts root's images there",
      'is it a read-only or network file system? choose another images_dir',
    );
  return ok(`${dir}: ${counted(images.length, 'image')}`);
}

async function spaceFinding(dir: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  const largest = Math.max(0, ...(await listImages(dir)).map(({ sizeBytes }) => sizeBytes));
  const wanted = Math.max(LITTLE_BYTES, 2 * largest);
  if (free >= wanted) return ok(`${formatBytes(free)} free`);
  const make = free < LITTLE_BYTES / 16 ? problem : warning;
  return make(
    `${dir}: only ${formatBytes(free)} free`,
    `the next saved image may not fit: the largest here has ${formatBytes(largest)}`,
    `remove images that nobody needs (imaging-list), or give ${dir} more room`,
  );
}

export const defaultImage = {
  name: 'default-image',
  needs: 'configuration',
  run: async ({ config, host }, signal) => {
    const { defaultImage: name, imagesDir } = config.frisbee;
    const found = await findImage(name, placesFor(undefined, { imagesDir, cwd: host.cwd() })).catch((error: unknown) => error);
    if (found instanceof Error)
      return [
        warning(
          found.message,
          'imaging-load without -i loads it',
          `ln -s IMAGE.ndz ${imagesDir}/${name}, or set default_image in section [frisbee]`,
        ),
      ];
    const { path } = found as Awaited<ReturnType<typeof findImage>>; // all it gives beside errors
    const format = await formatOfFile(path).catch((error: unknown) =>
      imagesFail.is(error, 'image-unknown') ? error : Promise.reject(error as Error),
    );
    if (format instanceof Failure)
      return [warning(format.message, 'imaging-load without -i loads it', format.hint ?? 'name another with default_image')];
    if (format !== 'ndz') return [ok(`${path}: ${format}, made into an .ndz at its first load`)];
    const image = await inspectImage(path, { signal });
    const { cut, note } = await judgeImage(image, signal);
    if (cut !== null) return [problem(`${path}: ${cut}`, 'imaging-load refuses it', 'copy it again, or save that disk again')];
    if (note !== null) return [warning(`${path}: ${note}`, null, 'nothing, when its nodes boot')];
    return [ok(`${path}: ${counted(image.chunkCount, 'chunk')}, headers sound, for disks of ${formatBytes(image.diskBytes)} and more`)];
  },
} satisfies Check;
