/** What an ssh server offers in its first packet (RFC 4253, 7.1), by what it is for. */
export type Offer = { kex: string[]; hostKey: string[]; cipher: string[]; mac: string[] };

/** Larger than any KEXINIT; a reader gives up there. */
const MAX_BYTES = 65_536;
const KEXINIT = 20;
const COOKIE_BYTES = 16;

/** Finds the server's KEXINIT, which is sent in clear, in what it says from its version line on. No sockets. */
export class OfferReader {
  #bytes: Buffer = Buffer.alloc(0);
  #over = false;
  /** Null until it is there, and for ever when it is not understood. */
  offer: Offer | null = null;

  push(chunk: Buffer): void {
    if (this.#over) return;
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const version = /(?:^|\n)SSH-[^\n]*\n/.exec(this.#bytes.toString('latin1'));
    const packet = version === null ? null : this.#bytes.subarray(version.index + version[0].length);
    if (packet !== null && packet.length >= 4 && packet.length >= 4 + packet.readUInt32BE(0)) this.#end(parse(packet));
    else if (this.#bytes.length > MAX_BYTES) this.#end(null);
  }

  #end(offer: Offer | null): void {
    this.offer = offer;
    this.#over = true;
    this.#bytes = Buffer.alloc(0);
  }
}

/** length (4), padding (1), type (1), cookie (16), then name-lists. */
function parse(packet: Buffer): Offer | null {
  if (packet[5] !== KEXINIT) return null;
  const lists: string[][] = [];
  let at = 6 + COOKIE_BYTES;
  while (lists.length < 6) {
    if (at + 4 > packet.length) return null;
    const end = at + 4 + packet.readUInt32BE(at);
    if (end > packet.length) return null;
    lists.push(
      packet
        .toString('latin1', at + 4, end)
        .split(',')
        .filter((name) => name !== ''),
    );
    at = end;
  }
  const [kex = [], hostKey = [], cipher = [], , mac = []] = lists;
  return { kex, hostKey, cipher, mac };
}
