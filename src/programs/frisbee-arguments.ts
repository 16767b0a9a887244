import { lookup } from 'node:dns/promises';
import { type ReceiveOptions, REAL_PROFILE } from '../frisbee/receive-options.js';
import type { SinkSpec } from '../frisbee/writer-thread.js';
import { messageOf } from '../util/errors.js';
import { getopt, numberValue, type Options } from './getopt.js';
import { CLIENT_BUFFER_KB, type SessionArguments, sessionArguments } from './session-options.js';

export const FRISBEE_USAGE = `usage: frisbee [-qNzOrb] [-s slice [-D type]] [-S server] [-T sec] [-C MB] [-R n] [-K sec] [-I ms] [-i mcastif] <-m mcastaddr> <-p portnum> <output filename>

 -q          Quiet mode (no dots, no statistics)
 -N          Do not decompress the received data, just write to output
 -z          Zero fill unused block ranges (default is to seek past)
 -s slice    Write into this partition of the output, by the table it has; nothing outside is touched
 -D type     With -s: set the partition's type at the end (MBR: 1 to 255; GPT: a short code such as 0x8300)
 -O          Make chunk requests in increasing order (default is random order)
 -b          Use broadcast instead of multicast (to -m, or to 255.255.255.255)
 -m mcastaddr, -p portnum, -i mcastif   The session, and the interface (an address, or its name)
 -S server   Take part only in the session of this server (an address or a name)
 -r          Wait up to a second, at random, before joining
 -T seconds  Give up when the server was silent for so long (default: never)
 -K seconds  Join the multicast group again after so much silence
 -k KB       Size of the socket buffers (default 4096)
 -C MB       Memory for chunk buffers (default 64)
 -M MB       Memory for buffers; half of it for chunks
 -R n        Number of chunks to request ahead (default 2)
 -I ms       Time between requests for the same chunk (default 1000)
 -u UUID     Expect all chunks to have this image UUID (exit status 1 when one has not)
 --image-uuid UUID   The same, with exit status 65 (or IMAGING_FRISBEE_UUID=UUID)
 --loopback  Server and clients share this machine on 127.x addresses (or IMAGING_FRISBEE_LOOPBACK=1)
 -d          Say which system calls are off, and why
 -f, -n, -W MB   Accepted and ignored: they change nothing of what is written
`;

/** What a foreign image ends with when a UUID was asked for by the long option or the environment (EX_DATAERR of sysexits.h). */
const FOREIGN_IMAGE_EXIT = 65;

export type FrisbeeArguments = SessionArguments & {
  output: SinkSpec;
  quiet: boolean;
  raw: boolean;
  debug: boolean;
  /** Exit status when chunks of another image than asked for arrive. */
  foreignExit: number;
  options: Pick<ReceiveOptions, 'inOrder' | 'serverTimeoutMs' | 'serverIp' | 'maxStartDelayMs' | 'profile'> & { keepaliveMs: number };
};

/** Options of the program this one stands in for that change nothing here. */
const IGNORED_FLAGS = 'nf';
/** Options whose meaning we do not offer: refused, so that nobody gets a wrong disk, or none. */
const REFUSED: Readonly<Record<string, string>> = {
  F: '-F (ask a master server for an image) is not supported: name the session with -m and -p',
  Q: '-Q (ask a master server about an image) is not supported',
  X: '-X (transfer method for -F) is not supported: name the session with -m and -p',
  B: '-B (time between questions to a master server) is not supported: name the session with -m and -p',
  c: '-c (signed images) is not supported; SHA1 checksums of chunks are verified without it',
  e: '-e (encrypted images) is not supported: decrypt the image before it is served',
};
const START_DELAY_MS = 1_000;

/** Reads the client's command line. Returns a complaint when something is missing, makes no sense, or is not offered. */
export async function parseFrisbee(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<FrisbeeArguments | string> {
  const options = getopt(argv, `qNzObrd${IGNORED_FLAGS}`, `mpikTCRKIMWsDSu${Object.keys(REFUSED).join('')}`, [
    '--loopback',
    '--image-uuid=',
  ]);
  if (typeof options === 'string') return options;
  for (const [letter, why] of Object.entries(REFUSED)) if (options.values.has(letter)) return why;
  const [outputPath, ...rest] = options.words;
  if (outputPath === undefined || rest.length > 0) return 'exactly one output filename is needed';
  if (outputPath === '-') return 'writing to standard output is not supported';
  const session = await sessionArguments(options, env, CLIENT_BUFFER_KB);
  if (typeof session === 'string') return session;
  const tuning = await parseTuning(options);
  if (typeof tuning === 'string') return tuning;
  const output = parseOutput(outputPath, options, env.IMAGING_FRISBEE_UUID);
  if (typeof output === 'string') return output;
  const foreignExit = options.values.has('u') ? 1 : FOREIGN_IMAGE_EXIT;
  return {
    ...session,
    output,
    quiet: options.flags.has('q'),
    raw: options.flags.has('N'),
    debug: options.flags.has('d'),
    foreignExit,
    options: tuning,
  };
}

function parseOutput(path: string, options: Options, uuidOfEnvironment: string | undefined): SinkSpec | string {
  const raw = options.flags.has('N');
  const slice = numberValue(options, 's', 0);
  const type = numberValue(options, 'D', 0);
  if (slice === null) return '-s takes the number of a partition';
  if (type === null) return '-D takes a number, decimal or 0x and hexadecimal';
  if (options.values.has('D') && slice === 0) return '-D needs -s: only a partition has a type';
  if (raw && slice > 0) return '-s and -N do not go together: only images are written into partitions';
  const given = options.values.get('u') ?? options.values.get('--image-uuid') ?? (uuidOfEnvironment || undefined);
  const imageUuid = given?.replace(/^0x/i, '').replaceAll('-', '').toLowerCase();
  if (imageUuid !== undefined && !/^[0-9a-f]{32}$/.test(imageUuid)) return `image UUID '${given ?? ''}': not 32 hexadecimal digits`;
  if (imageUuid !== undefined && raw) return 'an image UUID and -N do not go together: what is not decompressed is not looked into';
  return {
    path,
    raw,
    zeroFill: options.flags.has('z'),
    ...(slice > 0 ? { slice } : {}),
    ...(options.values.has('D') ? { partitionType: type } : {}),
    ...(imageUuid === undefined ? {} : { imageUuid }),
  };
}

async function parseTuning(options: Options): Promise<FrisbeeArguments['options'] | string> {
  const silence = numberValue(options, 'T', 0);
  const keepalive = numberValue(options, 'K', 0);
  const memory = numberValue(options, 'M', 2 * REAL_PROFILE.maxBuffers, 1);
  const buffers = numberValue(options, 'C', Math.max(1, Math.floor((memory ?? 0) / 2)), 1);
  const ahead = numberValue(options, 'R', REAL_PROFILE.readAhead, 1);
  const redoMs = numberValue(options, 'I', REAL_PROFILE.redoMs, 1);
  const numbers = [silence, keepalive, memory, buffers, ahead, redoMs, numberValue(options, 'W', 64, 1)];
  if (silence === null || keepalive === null || buffers === null || ahead === null || redoMs === null || numbers.includes(null))
    return '-T, -K, -C, -M, -W, -R and -I take whole numbers';
  const server = await serverAddress(options.values.get('S'));
  if (typeof server === 'string') return server;
  return {
    inOrder: options.flags.has('O'),
    keepaliveMs: keepalive > 0 ? keepalive * 1000 : Infinity,
    ...server,
    ...(options.flags.has('r') ? { maxStartDelayMs: START_DELAY_MS } : {}),
    ...(silence > 0 ? { serverTimeoutMs: silence * 1000 } : {}),
    profile: {
      maxBuffers: Math.min(buffers, 1024),
      readAhead: ahead,
      redoMs,
      ...(options.values.has('R') ? { inProgress: 4 * ahead } : {}),
    },
  };
}

async function serverAddress(name: string | undefined): Promise<{ serverIp?: string } | string> {
  if (name === undefined) return {};
  try {
    return { serverIp: (await lookup(name, 4)).address };
  } catch (error) {
    return `-S ${name}: ${messageOf(error)}`;
  }
}
