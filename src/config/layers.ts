import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { messageOf, systemCode, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { type IniValues, parseIni } from './ini-text.js';
import { whoElseWrote } from './trust.js';

export const SYSTEM_FILE = '/etc/imaging.conf';
const MAX_BYTES = 1 << 20;

/** One configuration file and what it says. */
export type Layer = { file: string; values: IniValues /** Whether everybody on this machine may read it. */; readableByAll: boolean };

/** What of the host decides on the files. */
export type LayersHost = Pick<Host, 'env' | 'cwd' | 'home' | 'uid'>;

type Source = {
  file: string /** Whether it must be there. */;
  must: boolean /** Whether it is found because of where we stand, not because root or we named it. */;
  found: boolean;
};

/**
 * The configuration files, weakest first: /etc/imaging.conf, ~/.imaging.conf, ./imaging.conf; or, when the variable
 * IMAGING_CONFIG is not empty, the files it names, joined by `:`, and no other. A missing /etc/imaging.conf is a
 * warning.
 *
 * @throws UserError `environment` naming a file that IMAGING_CONFIG names and is missing, that cannot be read, or
 *   that another unprivileged user could have written (in the home and current folders)
 */
export async function readLayers(host: LayersHost, systemFile = SYSTEM_FILE): Promise<{ layers: Layer[]; warnings: string[] }> {
  const layers: Layer[] = [];
  const warnings: string[] = [];
  for (const source of sources(host, systemFile)) {
    const found = await readSource(source, host.uid());
    if (found !== null) layers.push({ file: source.file, values: parseIni(found.text, source.file), readableByAll: found.readableByAll });
    else if (source.file === systemFile) warnings.push(`${systemFile} is missing: defaults apply where no other file says otherwise`);
  }
  return { layers, warnings };
}

function sources(host: LayersHost, systemFile: string): Source[] {
  const named = (host.env.IMAGING_CONFIG ?? '').split(':').filter((file) => file !== '');
  const cwd = workingFolder(host);
  if (named.length > 0) return named.map((file) => ({ file: resolve(cwd ?? '/', file), must: true, found: false }));
  const found = [
    ...(isAbsolute(host.home()) ? [join(host.home(), '.imaging.conf')] : []),
    ...(cwd === null ? [] : [join(cwd, 'imaging.conf')]),
  ].filter((file) => file !== systemFile);
  return [{ file: systemFile, must: false, found: false }, ...found.map((file) => ({ file, must: false, found: true }))];
}

/** The current folder, or null when it was removed under us. */
function workingFolder(host: LayersHost): string | null {
  try {
    return host.cwd();
  } catch {
    return null;
  }
}

async function readSource({ file, must, found }: Source, uid: number): Promise<{ text: string; readableByAll: boolean } | null> {
  let handle: FileHandle | undefined;
  try {
    // non-blocking: a pipe of that name must not hang us
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stats = await handle.stat();
    if (!stats.isFile()) throw new UserError('environment', `configuration ${file}: it is no file`);
    const problem = found ? await whoElseWrote(file, handle, { uid }) : null;
    if (problem !== null) throw untrusted(file, problem);
    if (stats.size > MAX_BYTES)
      throw new UserError('environment', `configuration ${file}: ${stats.size} bytes are too many for a configuration`);
    return { text: await handle.readFile('utf8'), readableByAll: (stats.mode & 0o004) !== 0 };
  } catch (error) {
    if (error instanceof UserError) throw error;
    const code = systemCode(error);
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    if (missing && !must) return null;
    const hint = must ? 'IMAGING_CONFIG names it' : undefined;
    throw new UserError(
      'environment',
      `cannot read the configuration ${file}: ${missing ? 'there is no such file' : messageOf(error)}`,
      hint,
      { cause: error },
    );
  } finally {
    await handle?.close();
  }
}

function untrusted(file: string, problem: string): UserError {
  const hint =
    'a configuration names programs that run as you: make it yours (chown, chmod go-w), go to another folder, or name the file in IMAGING_CONFIG if you mean it';
  return new UserError('environment', `configuration ${file} could have been written by another user: ${problem}`, hint);
}
