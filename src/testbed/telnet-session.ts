import type { Socket } from 'node:net';
import {
  OPTION,
  SERVER_GREETING,
  TelnetDecoder,
  encodeData,
  encodeNegotiation,
  DO,
  DONT,
  WILL,
  WONT,
  type TelnetCommand,
} from '../telnet/codec.js';
import { LineEditor } from './line-editor.js';
import type { OpenShell, Shell } from './shell.js';

const BANNER = "\r\r\n\r\n\r\nBusyBox v1.35.0 built-in shell (ash)\r\nEnter 'help' for a list of built-in commands.\r\n\r\n";
const PROMPT = '/ # ';
/** busybox asks where the cursor is after each prompt, and needs no answer. */
const CURSOR_QUERY = '\x1b[6n';
/** Input typed ahead of a busy shell: beyond this the socket waits. */
const MAX_TYPED_AHEAD_BYTES = 65_536;
const MAX_REPLIES = 64;
/** How long a peer may keep its half of an ended session open. */
const CLOSE_GRACE_MS = 5_000;
const ETX = 0x03;
const INTERRUPT_PROCESS = 0xf4;

/**
 * One telnet connection to the ramdisk, as busybox telnetd and ash show themselves: options first, banner, a prompt
 * before each command, the command echoed after it, CR LF line ends, the connection's end at `exit`. Commands typed ahead
 * are accepted at any time; clients that never negotiate are fine.
 */
export class TelnetSession {
  readonly #socket: Socket;
  readonly #shell: Shell;
  readonly #decoder = new TelnetDecoder({ lineEnds: 'lf' });
  readonly #editor = new LineEditor(PROMPT.length);
  #typedAhead: Buffer = Buffer.alloc(0);
  #atPrompt = false;
  #replies = 0;
  #detached = false;

  constructor(socket: Socket, openShell: OpenShell) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.write(Buffer.concat([SERVER_GREETING, Buffer.from(BANNER, 'latin1')]));
    this.#shell = openShell({
      output: (bytes) => this.#output(bytes),
      prompt: () => this.#prompt(),
      ended: () => this.#ended(),
    });
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('drain', () => this.#shell.resume());
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#detach());
  }

  /** Power is gone: the peer's next packet would be answered by a reset, so reset now. */
  kill(): void {
    this.#detach();
    this.#socket.resetAndDestroy();
  }

  /** The node hangs: the connection stays open and nothing ever comes again. Its socket is the caller's from here. */
  freeze(): Socket {
    this.#detach();
    return this.#socket;
  }

  #detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    this.#shell.kill();
    this.#socket.removeAllListeners('data');
    this.#socket.removeAllListeners('drain');
    this.#socket.resume(); // a closed connection is only noticed by a socket that reads
  }

  #data(chunk: Buffer): void {
    const { data, commands } = this.#decoder.decode(chunk);
    for (const command of commands) this.#command(command);
    const interrupt = this.#atPrompt ? -1 : data.lastIndexOf(ETX);
    if (interrupt >= 0) this.#interrupt();
    this.#typedAhead = Buffer.concat([this.#typedAhead, data.subarray(interrupt + 1)]);
    this.#edit();
    if (this.#typedAhead.length > MAX_TYPED_AHEAD_BYTES) this.#socket.pause();
  }

  #interrupt(): void {
    this.#typedAhead = Buffer.alloc(0);
    this.#write('^C\r\n');
    this.#shell.interrupt();
  }

  #command(command: TelnetCommand): void {
    if (command.type === 'subnegotiation') {
      if (command.option === OPTION.windowSize && command.data.length === 4) this.#editor.columns = command.data.readUInt16BE(0) || 80;
    } else if (command.type === 'negotiate') {
      const offered = command.option === OPTION.echo || command.option === OPTION.suppressGoAhead || command.option === OPTION.windowSize;
      if (!offered && (command.verb === WILL || command.verb === DO) && this.#replies++ < MAX_REPLIES) {
        this.#socket.write(encodeNegotiation(command.verb === WILL ? DONT : WONT, command.option));
      }
    } else if (command.code === INTERRUPT_PROCESS && !this.#atPrompt) {
      this.#interrupt();
    }
  }

  #prompt(): void {
    if (this.#detached) return;
    this.#atPrompt = true;
    this.#write(PROMPT + CURSOR_QUERY);
    this.#edit();
  }

  /** Takes what was typed, up to one command; the rest waits for the next prompt. */
  #edit(): void {
    while (this.#atPrompt && this.#typedAhead.length > 0) {
      const { consumed, echo, edited } = this.#editor.edit(this.#typedAhead);
      this.#typedAhead = this.#typedAhead.subarray(consumed);
      if (this.#typedAhead.length <= MAX_TYPED_AHEAD_BYTES) this.#socket.resume();
      this.#write(echo);
      if (edited === null) return;
      if (edited.type === 'interrupt' || (edited.type === 'line' && edited.text.trim() === '')) {
        this.#write(PROMPT + CURSOR_QUERY);
        continue;
      }
      this.#atPrompt = false;
      this.#shell.line(edited.type === 'line' ? edited.text : 'exit');
    }
  }

  #output(bytes: Buffer): void {
    if (this.#detached) return;
    const text = bytes.includes(0x0a) ? Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1') : bytes;
    if (!this.#socket.write(encodeData(text))) this.#shell.pause();
  }

  #write(text: string): void {
    if (!this.#detached && text !== '') this.#socket.write(encodeData(Buffer.from(text, 'latin1')));
  }

  #ended(): void {
    if (this.#detached) return;
    this.#detached = true;
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
    this.#socket.end();
    this.#socket.setTimeout(CLOSE_GRACE_MS, () => this.#socket.destroy());
  }
}
