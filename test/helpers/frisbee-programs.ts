import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { type FrisbeeOverrides, runFrisbee } from '../../src/programs/frisbee.js';
import { runFrisbeed } from '../../src/programs/frisbeed.js';
import { serve, temporaryFolder, testSession } from './frisbee.js';

const env = { IMAGING_FRISBEE_LOOPBACK: '1' };

class Text extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** A program of ours that runs in this process, on loopback addresses. */
export type RunningProgram = { done: Promise<number>; stderr: Text; stop: AbortController };

export function client(words: string, overrides: FrisbeeOverrides = {}): RunningProgram {
  const stop = new AbortController();
  const stderr = new Text();
  return {
    done: runFrisbee(
      words.split(' '),
      { stdout: new Text(), stderr, signal: stop.signal },
      { ...overrides, env: { ...env, ...overrides.env } },
    ),
    stderr,
    stop,
  };
}

export function server(words: string): RunningProgram {
  const stop = new AbortController();
  const stderr = new Text();
  return { done: runFrisbeed(words.split(' '), { stdout: new Text(), stderr, signal: stop.signal }, { env }), stderr, stop };
}

/** `-m` and `-p` of a session no other test uses. */
export function place(): string {
  const { group, port } = testSession();
  return `-m ${group} -p ${port}`;
}

/** Serves `image` in this thread until the test ends; resolves with the session's options when the server listens. */
export async function serving(
  image: string | Buffer,
  { ip = '127.0.0.1', at = place() }: { ip?: string; at?: string } = {},
): Promise<string> {
  const imagePath = typeof image === 'string' ? image : join(temporaryFolder(), 'served');
  if (typeof image !== 'string') writeFileSync(imagePath, image);
  const [, group = '', , port = ''] = at.split(' ');
  await serve({ group, port: Number(port), localIp: ip, imagePath });
  return at;
}
