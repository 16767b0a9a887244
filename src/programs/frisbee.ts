import { closeSync, openSync } from 'node:fs';
import { isMulticast } from '../frisbee/address.js';
import { receiveImage } from '../frisbee/client.js';
import type { ReceiveOptions, ReceiveResult } from '../frisbee/client-session.js';
import { REAL_PROFILE } from '../frisbee/client-profile.js';
import type { ChunkOutput } from '../frisbee/chunk-output.js';
import { WriterThread } from '../frisbee/writer-thread.js';
import { Failure, messageOf } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { boundLines, chunkDot, farewellLines, joinedLine } from './frisbee-lines.js';
import { getopt, numberValue, type Options } from './getopt.js';
import type { ProgramIo } from './program-io.js';
import { type SessionArguments, sessionArguments } from './session-options.js';
import { exitCodeOfSignal } from './stop-signal.js';

const USAGE = `usage: frisbee [-qNzOb] [-T sec] [-C MB] [-R n] [-K sec] [-I ms] [-i mcastif] <-m mcastaddr> <-p portnum> <output filename>

 -q          Quiet mode (no dots, no statistics)
 -N          Do not decompress the received data, just write to output
 -z          Zero fill unused block ranges (default is to seek past)
 -O          Make chunk requests in increasing order (default is random order)
 -b          Use broadcast instead of multicast
 -m mcastaddr, -p portnum, -i mcastif   The session, and the interface (an address, or its name)
 -T seconds  Give up when the server was silent for so long (default: never)
 -K seconds  Join the multicast group again after so much silence
 -k KB       Size of the socket buffers (default 1024)
 -C MB       Memory for chunk buffers (default 64)
 -R n        Number of chunks to request ahead (default 2)
 -I ms       Time between requests for the same chunk (default 1000)
 --loopback  Server and clients share this machine on 127.x addresses (or IMAGING_FRISBEE_LOOPBACK=1)
`;

/** Options of the program this one stands in for that change nothing here. */
const IGNORED_FLAGS = 'dnfr';
const IGNORED_VALUES = 'WM';
/** Options whose meaning we do not offer: refused, so that nobody gets a wrong disk. */
const REFUSED = 'sDSFQXuce';

/** Exit codes of the 2015 binary. */
const EXIT = { ok: 0, failed: 1, addressInUse: 98, serverSilent: 110, fatal: 255 } as const;

type FrisbeeArguments = SessionArguments & {
  outputPath: string;
  quiet: boolean;
  raw: boolean;
  zeroFill: boolean;
  options: Pick<ReceiveOptions, 'inOrder' | 'serverTimeoutMs' | 'profile'> & { keepaliveMs: number };
};

/** What a caller may put in place of the real thing: the emulated testbed gives faulty disks and a shared socket. */
export type FrisbeeOverrides = {
  openOutput?: (path: string, options: { raw: boolean; zeroFill: boolean }) => Promise<ChunkOutput>;
  receive?: (options: ReceiveOptions & { loopback: boolean }) => Promise<ReceiveResult>;
  env?: Readonly<Record<string, string | undefined>>;
  /** Added to the options of the transfer: faults for tests. */
  receiveOptions?: Pick<ReceiveOptions, 'lossRate' | 'lossSeed' | 'profile' | 'clientId'>;
};

/** Runs the frisbee client: same options, lines and exit codes as the 2015 program, but the signal stands for SIGINT and SIGTERM. */
export async function runFrisbee(argv: readonly string[], io: ProgramIo, overrides: FrisbeeOverrides = {}): Promise<number> {
  const parsed = await parseArguments(argv, overrides.env ?? systemHost.env);
  if (typeof parsed === 'string') {
    io.stderr.write(`frisbee: ${parsed}\n${USAGE}`);
    return EXIT.failed;
  }
  const writer = overrides.openOutput ? null : new WriterThread();
  try {
    if (parsed.raw && writer) closeSync(openSync(parsed.outputPath, 'a')); // its writer opens it only when the size is known
    const { raw, zeroFill, outputPath } = parsed;
    const sink = await (overrides.openOutput ?? ((path, options) => openWith(writer, path, options)))(outputPath, { raw, zeroFill });
    const result = await (overrides.receive ?? receiveImage)({ ...receiveOptions(parsed, io, overrides), sink });
    io.stderr.write(farewellLines(result, parsed.quiet));
    return EXIT.ok;
  } catch (error) {
    if (io.signal?.aborted) return exitCodeOfSignal(io.signal);
    return reportFailure(error, parsed, io);
  } finally {
    await writer?.close();
  }
}

async function openWith(writer: WriterThread | null, path: string, options: { raw: boolean; zeroFill: boolean }): Promise<ChunkOutput> {
  if (!writer) throw new Error('no writer thread');
  return writer.open({ path, ...options });
}

function receiveOptions(parsed: FrisbeeArguments, io: ProgramIo, overrides: FrisbeeOverrides): Omit<Parameters<typeof receiveImage>[0], 'sink'> {
  const { group, port, localIp, loopback, bufferBytes, quiet, raw, options } = parsed;
  return {
    group, port, localIp, loopback, bufferBytes, raw, ...options, ...overrides.receiveOptions,
    profile: { ...options.profile, ...overrides.receiveOptions?.profile },
    ...(io.signal ? { signal: io.signal } : {}),
    onEvent: (event) => {
      if (event.type === 'bound') {
        io.stderr.write(boundLines({ ...event, port, group, multicast: isMulticast(group) }));
        if (options.serverTimeoutMs !== undefined) io.stderr.write(`Quit if no messages from server after ${options.serverTimeoutMs / 1000} seconds\n`);
        if (Number.isFinite(options.keepaliveMs)) io.stderr.write(`Enabling MC keepalive at ${options.keepaliveMs / 1000} seconds\n`);
      } else if (event.type === 'joined') io.stderr.write(joinedLine(event));
      else if (!quiet) io.stderr.write(chunkDot(event));
    },
  };
}

function reportFailure(error: unknown, { port, options }: FrisbeeArguments, { stderr }: ProgramIo): number {
  const code = error instanceof Failure ? error.code : null;
  if (code === 'address-in-use') {
    stderr.write(`Could not bind to port ${port}!\n`);
    return EXIT.addressInUse;
  }
  if (code === 'server-silent') {
    stderr.write(`\n*** No messages from server after ${(options.serverTimeoutMs ?? 0) / 1000} seconds, exiting\n`);
    return EXIT.serverSilent;
  }
  stderr.write(`frisbee: ${messageOf(error)}\n`);
  return code === 'bad-interface' || code === 'socket-failed' ? EXIT.fatal : EXIT.failed;
}

async function parseArguments(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<FrisbeeArguments | string> {
  const options = getopt(argv, `qNzOb${IGNORED_FLAGS}`, `mpikTCRKI${IGNORED_VALUES}${REFUSED}`, ['--loopback']);
  if (typeof options === 'string') return options;
  for (const letter of REFUSED) if (options.values.has(letter)) return `-${letter} is not supported`;
  const [outputPath, ...rest] = options.words;
  if (outputPath === undefined || rest.length > 0) return 'exactly one output filename is needed';
  if (outputPath === '-') return 'writing to standard output is not supported';
  const session = await sessionArguments(options, env);
  if (typeof session === 'string') return session;
  const tuning = parseTuning(options);
  if (typeof tuning === 'string') return tuning;
  return { ...session, outputPath, quiet: options.flags.has('q'), raw: options.flags.has('N'), zeroFill: options.flags.has('z'), options: tuning };
}

function parseTuning(options: Options): FrisbeeArguments['options'] | string {
  const silence = numberValue(options, 'T', 0);
  const keepalive = numberValue(options, 'K', 0);
  const buffers = numberValue(options, 'C', REAL_PROFILE.maxBuffers, 1);
  const ahead = numberValue(options, 'R', REAL_PROFILE.readAhead, 1);
  const redoMs = numberValue(options, 'I', REAL_PROFILE.redoMs, 1);
  if (silence === null || keepalive === null || buffers === null || ahead === null || redoMs === null) return '-T, -K, -C, -R and -I take whole numbers';
  return {
    inOrder: options.flags.has('O'),
    keepaliveMs: keepalive > 0 ? keepalive * 1000 : Infinity,
    ...(silence > 0 ? { serverTimeoutMs: silence * 1000 } : {}),
    profile: { maxBuffers: Math.min(buffers, 1024), readAhead: ahead, redoMs, ...(options.values.has('R') ? { inProgress: 4 * ahead } : {}) },
  };
}
