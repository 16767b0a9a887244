import { constants } from 'node:os';
import type { Client, ClientChannel } from 'ssh2';

const MAX_STDOUT_BYTES = 1 << 20;

export type ExecResult = { status: number; stdout: string };

/**
 * Runs one command on a connection that is logged in: its status (128 + n when signal n killed it), and the first MiB of
 * its stdout; stderr is not kept. Rejects with the library's error, or with `lost` when the connection ends before a status.
 */
export function execOn(client: Client, command: string, lost: string): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) reject(error);
      else collect(channel, resolve, () => reject(new Error(lost)));
    });
  });
}

function collect(channel: ClientChannel, done: (result: ExecResult) => void, lost: () => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let status: number | null = null;
  channel.on('data', (chunk: Buffer) => {
    if (length >= MAX_STDOUT_BYTES) return;
    chunks.push(chunk.subarray(0, MAX_STDOUT_BYTES - length));
    length += chunk.length;
  });
  channel.on('error', () => {}); // 'close' follows
  channel.stderr.on('error', () => {}).resume();
  channel.on('exit', (code: number | null, signalName?: string) => {
    status = code ?? 128 + signalNumber(signalName);
  });
  channel.on('close', () => {
    if (status === null) lost();
    else done({ status, stdout: Buffer.concat(chunks).toString('utf8') });
  });
  channel.end(); // a command that reads its stdin finds its end
}

/** The number of a signal named as ssh names it (`KILL`) or the system does (`SIGKILL`). */
function signalNumber(name: string | undefined): number {
  const wanted = name?.startsWith('SIG') ? name : `SIG${name}`;
  return Object.entries(constants.signals).find(([known]) => known === wanted)?.[1] ?? 0;
}
