/* A program for network namespaces: sends batches to itself over lo, and prints what became of them, as JSON. */
import { udpBatches } from '../../src/native/udp-batches.js';

const [rounds = 0, count = 0, sizeBytes = 0, bufferBytes = 0] = process.argv.slice(2).map(Number);
const batches = await udpBatches.get();
if (!batches) throw new Error(`cannot: ${await udpBatches.whyOff()}`);
const fail = (error: Error): never => {
  throw error;
};

const got: number[] = [];
const receiver = batches.open(
  { address: '127.0.0.1', port: 7001, shared: false, bufferBytes: 8 << 20, headBytes: 0, clock: Date.now },
  (bytes) => got.push(bytes.readUInt32LE(0)),
  fail,
);
const sender = batches.open(
  { address: '127.0.0.1', port: 7002, shared: false, bufferBytes, headBytes: 0, clock: Date.now },
  () => undefined,
  fail,
);
const batch = sender.batch(count, sizeBytes);
let waited = 0;
let next = 0;
/** Sends, and counts it when that was not done at once. */
const send = (start: (done: (error: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    let isSent = false;
    start((error) => {
      isSent = true;
      if (error) reject(error);
      else resolve();
    });
    if (!isSent) waited++;
  });
for (let round = 0; round < rounds; round++) {
  for (const datagram of batch.datagrams) datagram.writeUInt32LE(next++, 0);
  const single = Buffer.alloc(sizeBytes);
  single.writeUInt32LE(next++, 0);
  // a datagram of its own must not overtake
  await Promise.all([
    send((done) => batch.send(count, '127.0.0.1', 7001, done)),
    send((done) => sender.send(single, '127.0.0.1', 7001, done)),
  ]);
}
const deadline = Date.now() + 20_000;
while (got.length < next && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
const inOrder = got.every((value, i) => value === i);
console.log(JSON.stringify({ sent: next, received: got.length, inOrder, waited, lost: receiver.lost }));
await sender.close();
await receiver.close();
