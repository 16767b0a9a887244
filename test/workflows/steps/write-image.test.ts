import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isChunkWhole } from '../../../src/ndz/check/verify.js';
import { openTelnet } from '../../../src/telnet/session.js';
import { builtinShell } from '../../../src/testbed/builtin-shell.js';
import type { Program } from '../../../src/testbed/program.js';
import { TelnetSession } from '../../../src/testbed/telnet-session.js';
import { systemHost } from '../../../src/util/host.js';
import type { TargetFailure } from '../../../src/events/outcome.js';
import { fanOut } from '../../../src/engine/fan-out.js';
import type { NodeRun } from '../../../src/workflows/node-steps.js';
import { writeImage } from '../../../src/workflows/steps/write-image.js';
import { someNodes } from '../../helpers/nodes.js';
import { chunkOf, headerOf } from '../../helpers/bytes.js';

/** An image of two chunks, the second one damaged in its stream. */
async function imageFile(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'imaging-write-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const chunks = [0, 1].map((index) =>
    chunkOf(
      headerOf({ index, firstSector: 8 * index, lastSector: 8 * index + 8, regions: [{ startSector: 8 * index, sectorCount: 8 }] }),
      randomBytes(4096),
    ),
  );
  chunks[1]?.fill(0x55, 5000, 5100);
  const path = join(folder, 'x.ndz');
  await writeFile(path, Buffer.concat(chunks));
  return path;
}

/** What a load says of a node whose client ends with `words` and a status. */
async function hintFor(words: string, path: string, status = 1): Promise<TargetFailure> {
  const sessions = new Set<TelnetSession>();
  const frisbee: Program = async (_, io) => {
    io.stderr.write(`${words}\n`);
    return status;
  };
  const server = createServer((socket) => sessions.add(new TelnetSession(socket, builtinShell(new Map([['frisbee', frisbee]]))))).listen(
    0,
    '127.24.0.2',
  );
  await once(server, 'listening');
  onTestFinished(() => {
    for (const session of sessions) session.kill();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // as: it listens on TCP
  const signal = new AbortController().signal;
  const options = {
    concurrency: 1,
    targetDeadlineMs: 20_000,
    firstStep: 'write',
    signal,
    host: systemHost,
    emit: () => undefined,
  } as const;
  const [outcome] = await fanOut(someNodes(7, 7), options, async (node: NodeRun) => {
    const telnet = await openTelnet({ host: '127.24.0.2', port, connectTimeoutMs: 5_000, firstByteTimeoutMs: 5_000, signal: node.signal });
    const session = {
      group: '239.1.2.3',
      port: 5005,
      lastHeardMs: () => null,
      failed: new Promise<never>(() => {}),
      stop: async () => undefined,
    };
    try {
      return await node.at('write', 20_000, (inner) =>
        writeImage(
          node,
          telnet,
          {
            program: 'frisbee',
            device: '/dev/sda',
            imageChunks: 2,
            stallMs: 10_000,
            session,
            chunkIsWhole: (index) => isChunkWhole(path, index),
          },
          inner,
        ),
      );
    } finally {
      telnet.close();
    }
  });
  if (outcome?.ok !== false) throw new Error('it did not fail');
  return outcome.failure;
}

test('a chunk that came damaged and is whole here: the hint is not to copy the image again', async () => {
  const { message, hint } = await hintFor(
    'frisbee: chunk 0 came 4 times, each time wrong and not the same each time: somebody else sends',
    await imageFile(),
  );
  expect(message).toContain('somebody else sends');
  expect(hint).toBe(
    'chunk 0 of the image file is whole here: find who else sends in the session 239.1.2.3:5005, or what damages data on the way to the node',
  );
});

test('one that is damaged here, too, is said to be', async () => {
  const { hint, code, blame } = await hintFor(
    'frisbee: chunk 1: its compressed stream is damaged; came 4 times, the same each time',
    await imageFile(),
  );
  expect({ code, blame }).toEqual({ code: 'frisbee-failed', blame: 'site' }); // no node goes into quarantine for it
  expect(hint).toMatch(/^chunk 1 of the image file is damaged here, too: .*copy it again/);
});

test('a small system without the program is not the fault of the node', async () => {
  expect(await hintFor('sh: frisbee: not found', await imageFile(), 127)).toMatchObject({ code: 'no-such-program', blame: 'site' });
});

test('other last words, and chunks that the image does not have, change nothing', async () => {
  const path = await imageFile();
  for (const words of ['frisbee: writing /dev/sda at byte 0: EIO', 'frisbee: chunk 7: its compressed stream is damaged'])
    expect(await hintFor(words, path)).toMatchObject({ hint: "the node's log has its whole output", blame: 'node' });
});
