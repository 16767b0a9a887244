import { readProvenance, type Provenance } from '../../images/records.js';
import { listImages, type ListedImage } from '../../images/find.js';
import { localMinute } from '../../images/saved.js';
import { formatBytes } from '../../monitor/format.js';
import { UserError } from '../../util/errors.js';
import { printable } from '../../util/text.js';
import type { OptionsOf } from '../kit/option-spec.js';
import type { listSpec } from './list.spec.js';

export type ImageChoice = {
  /** Any of these in a name or alias; none at all: every image. */
  words: readonly string[];
  /** None of these. */
  without: readonly string[];
  /** All of `words`, not any. */
  every: boolean;
  /** Only what is shared: nothing called saving__…. */
  sharedOnly: boolean;
  sort: 'name' | 'size' | 'date';
  reverse: boolean;
};

/** The options that choose images and say their order. */
export type ListOptions = Pick<OptionsOf<(typeof listSpec)['options']>, 'every' | 'shared' | 'size' | 'date' | 'reverse'>;

/** What the command line says about images; a word that begins with ~ keeps images out. */
export function choiceOf(words: readonly string[], options: ListOptions): ImageChoice {
  if (options.size && options.date) throw new UserError('usage', '--size and --date do not go together', 'choose one order');
  return {
    words: words.filter((word) => !word.startsWith('~')),
    without: words.filter((word) => word.startsWith('~') && word.length > 1).map((word) => word.slice(1)),
    every: options.every,
    sharedOnly: options.shared,
    sort: options.size ? 'size' : options.date ? 'date' : 'name',
    reverse: options.reverse,
  };
}

/** The images of the images folder, and those that were saved into the current one (their names begin with ./). */
export async function knownImages(imagesDir: string, cwd: string): Promise<ListedImage[]> {
  const shared = await listImages(imagesDir);
  const paths = new Set(shared.map(({ path }) => path));
  const here = await listImages(cwd).catch(() => []); // a folder that cannot be read holds nothing for us
  const saved = here.filter(({ node, path }) => node !== null && !paths.has(path));
  return [...shared, ...saved.map((image) => ({ ...image, name: `./${image.name}` }))];
}

export function chooseImages(images: readonly ListedImage[], choice: ImageChoice): ListedImage[] {
  const chosen = images.filter((image) => {
    const has = (word: string): boolean => [image.name, ...image.aliases].some((name) => name.includes(word));
    const wanted = choice.words.length === 0 || (choice.every ? choice.words.every(has) : choice.words.some(has));
    return wanted && !choice.without.some(has) && !(choice.sharedOnly && image.node !== null);
  });
  const byName = (a: ListedImage, b: ListedImage): number => (a.name < b.name ? -1 : 1);
  const order = {
    name: byName,
    size: (a: ListedImage, b: ListedImage) => b.sizeBytes - a.sizeBytes || byName(a, b),
    date: (a: ListedImage, b: ListedImage) => b.mtimeMs - a.mtimeMs || byName(a, b),
  };
  chosen.sort(order[choice.sort]);
  return choice.reverse ? chosen.reverse() : chosen;
}

/** `2026-11-21 01:16   615.0 MB  fedora-21  aka default`, one image a line, and a total. */
export function imagesText(images: readonly ListedImage[], isFiltered: boolean, dir: string): string {
  if (images.length === 0) return `no ${isFiltered ? 'matching ' : ''}images in ${dir}\n`;
  const width = Math.max(...images.filter(({ aliases }) => aliases.length > 0).map(({ name }) => name.length), 0);
  const rows = images.map(({ name, sizeBytes, mtimeMs, aliases, brokenLinkTo }) => {
    if (brokenLinkTo !== null) return `${minute(mtimeMs)}  ${'-'.padStart(9)}  ${name}  broken link to ${brokenLinkTo}`;
    return `${minute(mtimeMs)}  ${formatBytes(sizeBytes).padStart(9)}  ${aliases.length > 0 ? `${name.padEnd(width)}  aka ${aliases.join(', ')}` : name}`;
  });
  const broken = images.filter(({ brokenLinkTo }) => brokenLinkTo !== null).length;
  const count = images.length - broken;
  const total = images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return `${[...rows, `${count} image${count === 1 ? '' : 's'}, ${formatBytes(total)}${broken === 0 ? '' : `; ${broken} broken link${broken === 1 ? '' : 's'}`}`].map(printable).join('\n')}\n`;
}

/** Names only, for scripts. */
export function namesText(images: readonly ListedImage[]): string {
  return images
    .filter(({ brokenLinkTo }) => brokenLinkTo === null)
    .map(({ name }) => `${printable(name)}\n`)
    .join('');
}

/** An image as `imaging-list --json` tells it, with where it comes from, as far as that is known. */
export type ImageEntry = ListedImage & { provenance: Provenance | null };

export function imagesJson(images: readonly ListedImage[]): Promise<ImageEntry[]> {
  return Promise.all(images.map(async (image) => ({ ...image, provenance: await readProvenance(image.path).catch(() => null) }))); // what cannot be read says nothing
}

/** `2026-11-21 01:16`, local time. */
export function minute(atMs: number): string {
  return localMinute(atMs).replace('@', ' ');
}
