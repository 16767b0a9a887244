import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { open, stat } from 'node:fs/promises';
import { SECTOR_BYTES } from '../disk/sector.js';
import { messageOf } from '../util/errors.js';
import { INTERRUPTED_STATUS, type Program, type ProgramIo } from './program.js';
import { DISK_DEVICE } from './ramdisk.js';

const READ_BYTES = 256 * 1024;

/** What knows the node's disk in the built-in shell: `dd`, `sha1sum` and its like of what is piped in, `blockdev`, `sync`. */
export function diskPrograms(diskPath: string): [name: string, program: Program][] {
  return [
    ['dd', (args, io) => dd(args, io, diskPath)],
    ['sha1sum', digestOfStdin('sha1')],
    ['sha256sum', digestOfStdin('sha256')],
    ['md5sum', digestOfStdin('md5')],
    ['blockdev', (args, io) => blockdev(args, io, diskPath)],
    ['sync', async () => 0],
  ];
}

async function blockdev(args: readonly string[], io: ProgramIo, diskPath: string): Promise<number> {
  const [what = '', device = ''] = args;
  if (device !== DISK_DEVICE || !['--flushbufs', '--getsz', '--getss'].includes(what))
    return fail(io, `blockdev: ${args.join(' ')}: not known here`);
  if (what === '--getss') io.stdout.write(`${SECTOR_BYTES}\n`);
  if (what === '--getsz') io.stdout.write(`${Math.floor((await stat(diskPath)).size / SECTOR_BYTES)}\n`);
  return 0;
}

/** `dd if=/dev/sda [of=/dev/null] [bs=N] [skip=N] [count=N]`, or `dd if=/dev/zero of=/dev/sda bs=N seek=N count=N`; numbers in bytes and blocks, without letters behind them. */
async function dd(args: readonly string[], io: ProgramIo, diskPath: string): Promise<number> {
  const values = new Map(args.map((arg) => [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)]));
  const unknown = args.find((arg) => !/^(if|of)=|^(bs|skip|seek|count)=\d+$/.test(arg));
  if (unknown !== undefined) return fail(io, `dd: invalid argument '${unknown}'`);
  if (values.get('if') === '/dev/zero' && values.get('of') === DISK_DEVICE) return clear(values, io, diskPath);
  if (values.get('if') !== DISK_DEVICE) return fail(io, `dd: can't open '${values.get('if') ?? ''}': No such file or directory`);
  const output = values.get('of');
  if (output !== undefined && output !== '/dev/null') return fail(io, `dd: can't open '${output}': Read-only file system`);
  const [blockBytes, skip] = [Number(values.get('bs') ?? 512), Number(values.get('skip') ?? 0)];
  const wantedBytes = values.has('count') ? Number(values.get('count')) * blockBytes : Infinity;
  try {
    const doneBytes = await copy(diskPath, skip * blockBytes, wantedBytes, output === undefined ? io : { ...io, stdout: null });
    const [whole, part] = [Math.floor(doneBytes / blockBytes), doneBytes % blockBytes === 0 ? 0 : 1];
    io.stderr.write(`${whole}+${part} records in\n${whole}+${part} records out\n`);
    return io.signal.aborted ? INTERRUPTED_STATUS : 0;
  } catch (error) {
    return fail(io, `dd: ${DISK_DEVICE}: ${messageOf(error)}`);
  }
}

/** Zeros on a part of the disk. */
async function clear(values: ReadonlyMap<string, string>, io: ProgramIo, diskPath: string): Promise<number> {
  const [blockBytes, seek, count] = ['bs', 'seek', 'count'].map((name) => Number(values.get(name)));
  if (blockBytes === undefined || seek === undefined || count === undefined || Number.isNaN(blockBytes + seek + count))
    return fail(io, 'dd: bs, seek and count are needed here');
  const handle = await open(diskPath, 'r+');
  try {
    await handle.write(Buffer.alloc(blockBytes * count), 0, blockBytes * count, blockBytes * seek);
    return 0;
  } catch (error) {
    return fail(io, `dd: ${DISK_DEVICE}: ${messageOf(error)}`);
  } finally {
    await handle.close();
  }
}

async function copy(
  path: string,
  offset: number,
  wantedBytes: number,
  { stdout, signal }: Pick<ProgramIo, 'signal'> & { stdout: ProgramIo['stdout'] | null },
): Promise<number> {
  const handle = await open(path, 'r');
  try {
    let done = 0;
    while (done < wantedBytes && !signal.aborted) {
      const sizeBytes = Math.min(READ_BYTES, wantedBytes - done);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(sizeBytes), 0, sizeBytes, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
      if (stdout?.write(buffer.subarray(0, bytesRead)) === false) await once(stdout, 'drain', { signal }).catch(() => undefined); // aborted: seen above
    }
    return done;
  } finally {
    await handle.close();
  }
}

function digestOfStdin(algorithm: string): Program {
  return async (_args, { stdin, stdout }) => {
    const hash = createHash(algorithm);
    for await (const chunk of stdin as AsyncIterable<Buffer>) hash.update(chunk);
    stdout.write(`${hash.digest('hex')}  -\n`);
    return 0;
  };
}

function fail({ stderr }: ProgramIo, message: string): number {
  stderr.write(`${message}\n`);
  return 1;
}
