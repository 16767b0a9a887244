import { parentPort, workerData } from 'node:worker_threads';
import { udpBatches } from '../../src/native/udp-batches.js';

/** A thread that tells of every datagram at workerData's port and sends it back, until it is terminated. */
const batches = await udpBatches.get();
if (!batches || !parentPort) throw new Error(`cannot: ${await udpBatches.whyOff()}`);
const parent = parentPort;
const socket = batches.open(
  { address: '127.0.0.1', port: Number(workerData), shared: false, bufferBytes: 1 << 20, headBytes: 0, clock: Date.now },
  (bytes, from) => {
    parent.postMessage(bytes.toString('latin1'));
    socket.send(bytes, from.address, from.port);
  },
  (error) => {
    throw error;
  },
);
parent.postMessage('ready');
