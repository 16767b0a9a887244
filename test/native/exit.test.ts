import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { temporaryFolder, testSession } from '../helpers/frisbee.js';

const worker = fileURLToPath(new URL('../../dist/frisbee-server.worker.js', import.meta.url));

// its thread is torn down in the middle of things then
test('a process that exits while a thread has a socket open ends with its own code', () => {
  const image = join(temporaryFolder(), 'image.ndz');
  writeFileSync(image, Buffer.alloc(1 << 20));
  const { group, port } = testSession();
  const workerData = { imagePath: image, group, port, localIp: '127.0.0.1', loopback: true, rateBps: 1e8 };
  const source = `
    const { Worker } = require('node:worker_threads');
    new Worker(${JSON.stringify(worker)}, { workerData: ${JSON.stringify(workerData)} }).on('message', ({ kind }) => process.exit(kind === 'ready' ? 42 : 1));`;
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', source], { encoding: 'utf8' });
  expect({ status, signal, stderr }).toEqual({ status: 42, signal: null, stderr: '' });
});
