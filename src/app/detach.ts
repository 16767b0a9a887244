import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPlan } from '../runs/plan-file.js';
import { removeRun } from '../runs/retention.js';
import { makeRunFolder, newRunId } from '../runs/run-folder.js';
import { isRunName, runsFolder } from '../runs/store.js';
import { executablePath } from '../util/dist.js';
import { messageOf, UserError } from '../util/errors.js';
import type { HeldFolder } from '../util/held-folder.js';
import type { Host } from '../util/host.js';
import type { AppContext } from './context.js';

/** Tells the process in the background which run it is. */
const VARIABLE = 'IMAGING_BACKGROUND_RUN';
const MESSAGES = 'messages.log';

/** The run that this process is the background of, or null. */
export function backgroundRun({ env }: Pick<Host, 'env'>): string | null {
  const run = env[VARIABLE];
  return run !== undefined && isRunName(run) ? run : null;
}

/** In the background, tells the command that started us that the plan is accepted, and lets go of it. */
export function acceptRun(host: Pick<Host, 'env'>): void {
  if (backgroundRun(host) === null || !process.connected) return;
  process.send?.('accepted', () => process.disconnect());
}

/** What became of a command that was to go on in the background. `exitCode`: null when a signal killed it. */
export type Started = { accepted: true; run: string } | { accepted: false; said: string; exitCode: number | null };

/**
 * Starts the same command in the background: in a session of its own, without a terminal, with the run's folder for what
 * it says. Resolves once the plan is accepted there, or the command has ended without it.
 *
 * @throws UserError `environment` when there is no place for what it says
 */
export async function startInBackground(command: string, stateDir: string, { host, signal, argv }: AppContext): Promise<Started> {
  const run = newRunId(command, host);
  const folder = join(runsFolder(stateDir), run);
  const { fd, held } = openMessages(folder);
  try {
    const child = host.spawn(process.execPath, [executablePath, ...argv], {
      detached: true,
      stdio: ['ignore', fd, fd, 'ipc'],
      env: { ...host.env, [VARIABLE]: run },
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    const accepted = new Promise<'accepted'>((resolve) => void child.once('message', () => resolve('accepted')));
    const stop = (): void => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    const outcome = await Promise.race([accepted, ended]);
    signal.removeEventListener('abort', stop);
    if (signal.aborted) await ended;
    else if (outcome === 'accepted') {
      child.unref();
      return { accepted: true, run };
    }
    const said = readFileSync(held.at(MESSAGES), 'utf8');
    if (readPlan(folder) === null) removeRun(folder); // it has touched nothing
    return { accepted: false, said, exitCode: await ended };
  } finally {
    closeSync(fd);
    held.close();
  }
}

function openMessages(folder: string): { fd: number; held: HeldFolder } {
  try {
    const held = makeRunFolder(folder);
    return { fd: openSync(held.at(MESSAGES), 'ax', 0o640), held };
  } catch (cause) {
    throw new UserError(
      'environment',
      `a run in the background needs a folder, and ${folder} cannot be made: ${messageOf(cause)}`,
      'see runs.dir',
      { cause },
    );
  }
}
