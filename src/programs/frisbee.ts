import { closeSync, openSync } from 'node:fs';
import { isMulticast } from '../util/ipv4.js';
import { receiveImage } from '../frisbee/receive.js';
import type { ReceiveOptions, ReceiveResult } from '../frisbee/receive-options.js';
import type { ChunkSink } from '../ndz/apply/chunk-sink.js';
import { type SinkSpec, WriterThread } from '../frisbee/writer-thread.js';
import { Failure, messageOf } from '../util/errors.js';
import { offLine } from '../native/capabilities.js';
import { systemHost } from '../util/host.js';
import { say, sayText } from '../util/say.js';
import { FRISBEE_USAGE, type FrisbeeArguments, parseFrisbee } from './frisbee-arguments.js';
import { boundLines, chunkDot, farewellLines, joinedLine } from './frisbee-lines.js';
import type { ProgramIo } from './program-io.js';
import { exitCodeOfSignal } from './stop-signal.js';
import { fail as frisbeeFail } from '../frisbee/failures.js';
import { fail as ndzFail } from '../ndz/failures.js';

/** Exit codes of the 2015 binary. */
const EXIT = { ok: 0, failed: 1, addressInUse: 98, serverSilent: 110, fatal: 255 } as const;

/** What a caller may put in place of the real thing: the emulated testbed gives faulty disks and a shared socket. */
export type FrisbeeOverrides = {
  openOutput?: (path: string, options: Omit<SinkSpec, 'path'>) => Promise<ChunkSink>;
  receive?: (options: ReceiveOptions & { loopback: boolean }) => Promise<ReceiveResult>;
  env?: Readonly<Record<string, string | undefined>>;
  /** Added to the options of the transfer: faults for tests. */
  receiveOptions?: Pick<ReceiveOptions, 'lossRate' | 'lossSeed' | 'profile' | 'clientId'>;
};

/** Runs the frisbee client: same options, lines and exit codes as the 2015 program, but the signal stands for SIGINT and SIGTERM. */
export async function runFrisbee(argv: readonly string[], io: ProgramIo, overrides: FrisbeeOverrides = {}): Promise<number> {
  const parsed = await parseFrisbee(argv, overrides.env ?? systemHost.env);
  if (typeof parsed === 'string') {
    say(io.stderr, `frisbee: ${parsed}`);
    sayText(io.stderr, FRISBEE_USAGE);
    return EXIT.failed;
  }
  const off = parsed.debug ? await offLine(['udp-batches']) : null;
  if (off !== null) say(io.stderr, off);
  const writer = overrides.openOutput ? null : new WriterThread();
  try {
    const { path, ...spec } = parsed.output;
    if (parsed.raw && writer) closeSync(openSync(path, 'a')); // its writer opens it only when the size is known
    const sink = await (overrides.openOutput ?? ((name, options) => openWith(writer, { path: name, ...options })))(path, spec);
    const result = await (overrides.receive ?? receiveImage)({
      ...receiveOptions(parsed, io, overrides),
      sink,
      ownThread: writer !== null,
    });
    const notes = result.notes ?? [];
    if (notes.length > 0 && !parsed.quiet) say(io.stderr, ''); // the dots have a line of their own
    for (const note of notes) say(io.stderr, note);
    sayText(io.stderr, farewellLines(result, parsed.quiet));
    return EXIT.ok;
  } catch (error) {
    if (io.signal?.aborted) return exitCodeOfSignal(io.signal);
    return reportFailure(error, parsed, io);
  } finally {
    await writer?.close();
  }
}

async function openWith(writer: WriterThread | null, spec: SinkSpec): Promise<ChunkSink> {
  if (!writer) throw new Error('no writer thread');
  return writer.open(spec);
}

function receiveOptions(
  parsed: FrisbeeArguments,
  io: ProgramIo,
  overrides: FrisbeeOverrides,
): Omit<Parameters<typeof receiveImage>[0], 'sink'> {
  const { group, port, localIp, loopback, bufferBytes, quiet, raw, options } = parsed;
  return {
    group,
    port,
    localIp,
    loopback,
    bufferBytes,
    raw,
    ...options,
    ...overrides.receiveOptions,
    profile: { ...options.profile, ...overrides.receiveOptions?.profile },
    ...(io.signal ? { signal: io.signal } : {}),
    onEvent: (event) => {
      if (event.type === 'bound') {
        sayText(io.stderr, boundLines({ ...event, port, group, multicast: isMulticast(group) }));
        if (options.serverTimeoutMs !== undefined)
          say(io.stderr, `Quit if no messages from server after ${options.serverTimeoutMs / 1000} seconds`);
        if (Number.isFinite(options.keepaliveMs)) say(io.stderr, `Enabling MC keepalive at ${options.keepaliveMs / 1000} seconds`);
      } else if (event.type === 'joined') sayText(io.stderr, joinedLine(event));
      else if (!quiet) sayText(io.stderr, chunkDot(event));
    },
  };
}

function reportFailure(error: unknown, { port, options, foreignExit }: FrisbeeArguments, { stderr }: ProgramIo): number {
  if (frisbeeFail.is(error, 'address-in-use')) {
    say(stderr, `Could not bind to port ${port}!`);
    return EXIT.addressInUse;
  }
  if (frisbeeFail.is(error, 'server-silent')) {
    say(stderr, '', `*** No messages from server after ${(options.serverTimeoutMs ?? 0) / 1000} seconds, exiting`);
    return EXIT.serverSilent;
  }
  const hint = error instanceof Failure && error.hint ? ` (${error.hint})` : '';
  say(stderr, `frisbee: ${messageOf(error)}${hint}`);
  if (ndzFail.is(error, 'ndz-foreign-image')) return foreignExit;
  return frisbeeFail.is(error, 'bad-interface', 'socket-failed') ? EXIT.fatal : EXIT.failed;
}
