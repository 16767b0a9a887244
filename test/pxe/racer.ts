// One process of the races in links.test.ts: takes orders on stdin, answers on stdout.
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createLinks } from '../../src/pxe/links.js';
import { Failure } from '../../src/util/errors.js';
import { systemHost } from '../../src/util/host.js';

const [folder = '', mac = ''] = process.argv.slice(2);
const link = `01-${mac.toLowerCase().replaceAll(':', '-')}`;
const links = createLinks({ configDir: folder, target: 'pxefrisbee', host: systemHost });

async function place(): Promise<string> {
  try {
    await links.place(mac, 'fit07');
    return 'placed';
  } catch (error) {
    return error instanceof Failure ? error.code : String(error);
  }
}

/** Places `times` times, sweeping now and then, and each time checks that nobody else holds the node. */
async function fight(times: number): Promise<string> {
  for (let won = 0, turn = 0; won < times; turn++) {
    if (turn % 5 === 0) await links.sweep();
    const outcome = await place();
    if (outcome === 'node-busy') continue;
    if (outcome !== 'placed') return outcome;
    won += 1;
    // an abstract socket: exclusive, and gone with its process however that ends
    const held = createServer().listen(`\0imaging-race-${folder}`);
    try {
      await once(held, 'listening');
      if (readlinkSync(join(folder, link)) !== 'pxefrisbee') return 'somebody took my link away';
    } catch (error) {
      return `two hold the node: ${String(error)}`;
    }
    held.close();
    await links.release(mac);
  }
  return 'done';
}

async function sweep(): Promise<string> {
  return `swept ${(await links.sweep()).length}`;
}

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [order, times] = line.split(' ');
  const answer =
    order === 'place' ? place() : order === 'sweep' ? sweep() : order === 'beat' ? links.beat().then(() => 'beaten') : fight(Number(times));
  process.stdout.write(`${await answer}\n`);
}
