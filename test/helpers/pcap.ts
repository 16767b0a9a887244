import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export type UdpDatagram = { source: string; sourcePort: number; destination: string; destinationPort: number; payload: Buffer };

/** The UDP datagrams of a gzipped little-endian pcap file of Ethernet frames; IP fragments and other protocols are left out. */
export function udpDatagrams(path: string): UdpDatagram[] {
  const file = gunzipSync(readFileSync(path));
  const datagrams: UdpDatagram[] = [];
  for (let at = 24; at + 16 <= file.length; ) {
    const captured = file.readUInt32LE(at + 8);
    const datagram = parseFrame(file.subarray(at + 16, at + 16 + captured));
    if (datagram) datagrams.push(datagram);
    at += 16 + captured;
  }
  return datagrams;
}

function parseFrame(frame: Buffer): UdpDatagram | null {
  if (frame.readUInt16BE(12) !== 0x0800) return null;
  const ip = frame.subarray(14);
  if (ip.readUInt8(9) !== 17) return null;
  const udp = ip.subarray((ip.readUInt8(0) & 15) * 4);
  return {
    source: dotted(ip.subarray(12, 16)),
    destination: dotted(ip.subarray(16, 20)),
    sourcePort: udp.readUInt16BE(0),
    destinationPort: udp.readUInt16BE(2),
    payload: udp.subarray(8, udp.readUInt16BE(4)),
  };
}

function dotted(bytes: Buffer): string {
  return [...bytes].join('.');
}
