import { isMulticast } from '../util/ipv4.js';
import { type Burst, burstBlocksPerSecond, burstForRate, DEFAULT_BURST } from './burst.js';
import { BITS_PER_BLOCK, type ServerEvent } from '../frisbee/server-events.js';
import { type FrisbeeServer, startServer } from '../frisbee/server.js';
import { offLine } from '../native/capabilities.js';
import { messageOf } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { say, sayText } from '../util/say.js';
import { printable } from '../util/text.js';
import { endLines, eventLines, type ServerLinesContext, startLines } from './frisbeed-lines.js';
import { getopt, numberValue, type Options } from './getopt.js';
import type { ProgramIo } from './program-io.js';
import { SERVER_BUFFER_KB, type SessionArguments, sessionArguments } from './session-options.js';
import { signalName } from './stop-signal.js';
import { fail as frisbeeFail } from '../frisbee/failures.js';

const USAGE = `usage: frisbeed [-db] [-T sec] [-W bps | -B blocks -G us] [-K sec] [-i mcastif] <-p portnum> <-m mcastaddr> <filename>

 -d          Print what happens (otherwise only what goes wrong)
 -b          Use broadcast instead of multicast
 -m mcastaddr, -p portnum, -i mcastif   The session, and the interface (an address, or its name)
 -T timeout  End after so many seconds without a request (default 1800; 0: never; negative: when the last client left)
 -W bandwidth   Rate, in bits per second (default 71808000)
 -B burstsize, -G burstint   The rate as so many blocks every so many microseconds; -G 0: as fast as receivers take it
 -k KB       Size of the socket buffers (default 1024)
 -K seconds  Join the multicast group again after so much silence
 --loopback  Server and clients share this machine on 127.x addresses (or IMAGING_FRISBEE_LOOPBACK=1)
`;

/** Exit codes of the 2015 binary. */
const EXIT = { ok: 0, failed: 1, addressInUse: 98, fatal: 255 } as const;
const DEFAULT_IDLE_SECONDS = 1800;
/** How long after the last client left a server with a negative -T ends. */
const DESERTED_MS = 2_000;

type FrisbeedArguments = SessionArguments & {
  imagePath: string;
  debug: boolean;
  /** What the 2015 program would make of the rate; null without one. */
  burst: Burst | null;
  rateBps: number;
  idleSeconds: number;
  keepaliveMs: number;
};

/** Runs the frisbee server until it is idle or told to stop: same options, lines and exit codes as the 2015 program. */
export async function runFrisbeed(
  argv: readonly string[],
  io: ProgramIo,
  overrides: { env?: Readonly<Record<string, string | undefined>> } = {},
): Promise<number> {
  const parsed = await parseArguments(argv, overrides.env ?? systemHost.env);
  if (typeof parsed === 'string') {
    say(io.stderr, `frisbeed: ${parsed}`);
    sayText(io.stderr, USAGE);
    return EXIT.failed;
  }
  let onEvent: (event: ServerEvent) => void = () => undefined;
  const early: ServerEvent[] = [];
  onEvent = (event) => early.push(event);
  try {
    const server = await startServer({ ...serverOptions(parsed), onEvent: (event) => onEvent(event) });
    return await serveUntilDone(server, parsed, io, (listener) => {
      onEvent = listener;
      early.forEach(listener);
    });
  } catch (error) {
    const inUse = frisbeeFail.is(error, 'address-in-use');
    say(io.stderr, inUse ? `Could not bind to port ${parsed.port}!` : `frisbeed: ${messageOf(error)}`);
    return inUse ? EXIT.addressInUse : EXIT.fatal;
  }
}

function serverOptions({
  imagePath,
  group,
  port,
  localIp,
  loopback,
  bufferBytes,
  rateBps,
  idleSeconds,
  keepaliveMs,
}: FrisbeedArguments): Parameters<typeof startServer>[0] {
  return {
    imagePath,
    group,
    port,
    localIp,
    loopback,
    bufferBytes,
    keepaliveMs,
    rateBps,
    idleTimeoutMs: idleSeconds > 0 ? idleSeconds * 1000 : Infinity,
    desertedTimeoutMs: idleSeconds < 0 ? DESERTED_MS : Infinity,
  };
}

async function serveUntilDone(
  server: FrisbeeServer,
  parsed: FrisbeedArguments,
  io: ProgramIo,
  listen: (listener: (event: ServerEvent) => void) => void,
): Promise<number> {
  const context: ServerLinesContext = {
    path: printable(parsed.imagePath),
    group: parsed.group,
    port: parsed.port,
    multicast: isMulticast(parsed.group),
    burst: parsed.burst,
  };
  const tell = (text: string): void => {
    if (parsed.debug) sayText(io.stderr, text);
  };
  const off = parsed.debug ? await offLine(['udp-batches']) : null;
  if (off !== null) tell(`${off}\n`);
  tell(startLines(context, server.info));
  const end = await new Promise<{ line: string; code: number; stats: boolean }>((resolve) => {
    listen((event) => {
      if (event.type !== 'failed') tell(eventLines(event, context.path, new Date()));
      if (event.type === 'failed') resolve({ line: event.message, code: EXIT.fatal, stats: false });
      else if (event.type === 'idle') {
        resolve({
          line: event.reason === 'no-requests' ? `No requests for ${parsed.idleSeconds} seconds!` : 'Last client left!',
          code: EXIT.ok,
          stats: true,
        });
      }
    });
    const onSignal = (): void => {
      const hangUp = io.signal !== undefined && signalName(io.signal) === 'SIGHUP';
      resolve(
        hangUp
          ? { line: 'Caught signal 1. Exiting ...', code: EXIT.failed, stats: false }
          : { line: 'Interrupted!', code: EXIT.ok, stats: true },
      );
    };
    if (io.signal?.aborted) onSignal();
    else io.signal?.addEventListener('abort', onSignal, { once: true });
  });
  const stats = await server.stop();
  if (end.code === EXIT.fatal) say(io.stderr, `frisbeed: ${end.line}`);
  else tell(`${end.line}\n`);
  if (end.stats) tell(`${endLines(context, server.info, stats)}Exiting!\n`);
  return end.code;
}

async function parseArguments(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<FrisbeedArguments | string> {
  const options = getopt(argv, 'dbtD', 'mpiTWBGKRk', ['--loopback']);
  if (typeof options === 'string') return options;
  const [imagePath, ...rest] = options.words;
  if (imagePath === undefined || rest.length > 0) return 'exactly one file name is needed';
  const session = await sessionArguments(options, env, SERVER_BUFFER_KB);
  if (typeof session === 'string') return session;
  const idleSeconds = numberValue(options, 'T', DEFAULT_IDLE_SECONDS, -Infinity);
  const keepalive = numberValue(options, 'K', 0);
  if (idleSeconds === null || keepalive === null) return '-T and -K take whole seconds';
  const rate = parseRate(options);
  if (typeof rate === 'string') return rate;
  return {
    ...session,
    imagePath,
    debug: options.flags.has('d'),
    ...rate,
    idleSeconds,
    keepaliveMs: keepalive > 0 ? keepalive * 1000 : Infinity,
  };
}

function parseRate(options: Options): { burst: Burst | null; rateBps: number } | string {
  const rateBps = numberValue(options, 'W', 0, 1);
  const blocks = numberValue(options, 'B', DEFAULT_BURST.blocks, 1);
  const intervalUs = numberValue(options, 'G', DEFAULT_BURST.intervalUs);
  if (rateBps === null) return '-W takes a rate in bits per second';
  if (blocks === null || intervalUs === null) return '-B and -G take whole numbers';
  if (rateBps > 0) return { burst: burstForRate(rateBps), rateBps };
  if (intervalUs === 0) return { burst: null, rateBps: Infinity };
  const burst = { blocks, intervalUs: Math.ceil(intervalUs / 1000) * 1000 };
  return { burst, rateBps: burstBlocksPerSecond(burst) * BITS_PER_BLOCK };
}
