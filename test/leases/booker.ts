// One process of the races in local.test.ts: books as told on stdin, answers on stdout.
import { createInterface } from 'node:readline';
import { createLocalLeases } from '../../src/leases/local.js';
import { UserError } from '../../src/util/errors.js';
import { systemHost } from '../../src/util/host.js';

const [file = '', owner = ''] = process.argv.slice(2);
const leases = createLocalLeases({ file, timeoutMs: 30_000 }, systemHost);
const never = new AbortController().signal;

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [fromMs = 0, untilMs = 0, node = 0] = line.split(' ').map(Number);
  try {
    await leases.book({ owner, fromMs, untilMs, nodes: node === 0 ? null : [`fit${node}`] }, never);
    process.stdout.write('booked\n');
  } catch (error) {
    process.stdout.write(`${error instanceof UserError ? error.kind : String(error)}\n`);
  }
}
