import { savedInto, sweepUnfinished } from '../images/saved.js';
import type { Host } from '../util/host.js';

/** Paths of what killed saves and shares left half-made in the folders that images go into; removed, unless it is a dry run. */
export async function sweepImages(
  imagesDir: string,
  host: Pick<Host, 'uid' | 'cwd' | 'now'>,
  { dryRun }: { dryRun: boolean },
): Promise<string[]> {
  const swept: string[] = [];
  for (const dir of new Set([imagesDir, savedInto(imagesDir, host)])) swept.push(...(await sweepUnfinished(dir, host.now(), { dryRun })));
  return swept;
}
