import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { startServer, type FrisbeeServer } from '../../src/frisbee/server.js';
import type { Testbed } from '../../src/testbed/testbed.js';

/** The value of a key in the configuration a testbed wrote. */
export function setting(testbed: Testbed, key: string): string {
  const text = readFileSync(testbed.env.IMAGING_CONFIG ?? '', 'utf8');
  const value = new RegExp(`^${key} = (.*)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`no ${key} in ${text}`);
  return value;
}

export type HttpAnswer = { status: number; text: string; connection: string | undefined };

/** One request to a power card, as a plain HTTP client makes it. */
export function cmc(
  testbed: Testbed,
  number: number,
  verb: string,
  { method = 'GET', signal }: { method?: string; signal?: AbortSignal } = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const port = Number(setting(testbed, 'cmc_port'));
    const outgoing = request(
      { host: `127.0.1.${number}`, port, path: `/${verb}`, method, agent: false, ...(signal ? { signal } : {}) },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text, connection: response.headers.connection }));
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject).end();
  });
}

/** Connects as soon as somebody listens, with no more patience than the test has. */
export async function connectWhenUp(host: string, port: number, patienceMs = 10_000): Promise<Socket> {
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    const socket = await tryConnect(host, port);
    if (typeof socket !== 'string') return socket;
    if (performance.now() > untilMs) throw new Error(`${host}:${port} still says ${socket}`);
    await after(10);
  }
}

/** A connection, or the code of what went wrong. */
export function tryConnect(host: string, port: number): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
}

export const telnetPort = (testbed: Testbed): number => Number(setting(testbed, 'telnet_port'));
export const sshPort = (testbed: Testbed): number => Number(setting(testbed, 'ssh_port'));

/** A person's telnet: what comes is collected, nothing is negotiated. */
export class RawTelnet {
  text = '';
  readonly socket: Socket;
  readonly closed: Promise<'end' | 'reset'>;
  readonly #watchers = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.text += chunk;
      for (const watcher of this.#watchers) watcher();
    });
    this.closed = new Promise((resolve) => {
      let how: 'end' | 'reset' = 'end';
      socket.on('error', () => (how = 'reset'));
      socket.on('close', () => resolve(how));
    });
  }

  static async to(testbed: Testbed, number: number): Promise<RawTelnet> {
    return new RawTelnet(await connectWhenUp(`127.0.3.${number}`, telnetPort(testbed)));
  }

  type(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves when the pattern has been seen; a lost connection is an error. */
  async seen(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.text);
      if (found) return found;
      let watcher: () => void = () => undefined;
      const news = new Promise<'news'>((resolve) => this.#watchers.add((watcher = () => resolve('news'))));
      const what = await Promise.race([news, this.closed]);
      this.#watchers.delete(watcher);
      if (what !== 'news' && !pattern.test(this.text))
        throw new Error(`the connection ended (${what}) without ${pattern}; it said: ${JSON.stringify(this.text)}`);
    }
  }
}

/** The classic session: three lines, typed at once, then everything until the end of the connection. */
export async function classicLoad(testbed: Testbed, number: number, slot = 1): Promise<string> {
  const telnet = await RawTelnet.to(testbed, number);
  telnet.type(`${frisbeeLine(testbed, number, slot)}\necho _TELNET_STATUS=$?\nexit\n`);
  await telnet.closed;
  return telnet.text;
}

export function frisbeeLine(testbed: Testbed, number: number, slot = 1): string {
  const { group, port } = session(testbed, slot);
  return `frisbee -i 127.0.3.${number} -m ${group} -p ${port} /dev/sda`;
}

export function session(testbed: Testbed, slot = 1): { group: string; port: number } {
  return {
    group: setting(testbed, 'pattern_multicast').replace('*', String(slot)),
    port: Number(setting(testbed, 'pattern_port').replace(/ \+ \*$/, '')) + slot,
  };
}

/** Serves the testbed's demo image. */
export function serveDemo(testbed: Testbed, slot = 1): Promise<FrisbeeServer> {
  return startServer({
    ...session(testbed, slot),
    localIp: '127.0.0.1',
    loopback: true,
    imagePath: testbed.demoImage.ndzPath,
    rateBps: 400e6,
  });
}

/** The exit status as the classic tools find it: at the beginning of a line. */
export function telnetStatus(text: string): number | null {
  const found = /^_TELNET_STATUS=(\d+)\r?$/m.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}
