import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { receiveImage } from '../../src/frisbee/receive.js';
import { BlockMap } from '../../src/frisbee/block-map.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { LOOPBACK_BROADCAST } from '../../src/frisbee/sockets.js';
import { MemoryOutput, randomFile, serve, temporaryFolder, testSession } from '../helpers/frisbee.js';
import { client, server } from '../helpers/frisbee-programs.js';
import { receiveAsRelease, ScriptedParty, serveAsLater, type Release } from '../helpers/old-frisbee.js';

describe('clients of other releases', () => {
  test.each<Release>(['2011', '2015', '2016', 'later'])('%s: everything arrives, whatever it asks for again', async (release) => {
    const { path, content } = randomFile(2 * CHUNK_BYTES);
    const session = testSession();
    const { events, server: running } = await serve({ ...session, imagePath: path });
    const received = await receiveAsRelease(release, '127.0.3.7', session);
    expect(received.content.equals(content)).toBe(true);
    const replies = received.heard.filter(({ message }) => message.kind === 'joined');
    expect(replies.some(({ viaGroup }) => !viaGroup)).toBe(true);
    await expect.poll(() => events.some(({ type }) => type === 'leave'), { timeout: 30_000 }).toBe(true);
    // every chunk twice, and every 100th block a third time; on a busy machine what came too late once more
    expect((await running.stop()).sentBlocks).toBeGreaterThanOrEqual(2 * (1024 + 1024 + 10));
  });

  test('2016, without decompression: the answer names its client id', async () => {
    const { path, content } = randomFile(CHUNK_BYTES + 70_001);
    const session = testSession();
    await serve({ ...session, imagePath: path });
    const received = await receiveAsRelease('2016', '127.0.3.7', session, true);
    expect(received.content.equals(content)).toBe(true);
  });

  test('all together, and one of ours among them', async () => {
    const { path, content } = randomFile(3 * CHUNK_BYTES);
    const session = testSession();
    const { events } = await serve({ ...session, imagePath: path });
    const sink = new MemoryOutput();
    const [, ...others] = await Promise.all([
      receiveImage({ ...session, localIp: '127.0.3.1', loopback: true, sink }),
      ...(['2011', '2015', '2016', 'later'] as const).map((release, i) => receiveAsRelease(release, `127.0.3.${i + 2}`, session)),
    ]);
    expect(sink.content.equals(content)).toBe(true);
    for (const { content: received } of others) expect(received.equals(content)).toBe(true);
    await expect.poll(() => events.filter(({ type }) => type === 'leave').length).toBe(5);
  });
});

test('a client that asks for the same blocks for ever does not keep another from finishing', async () => {
  const { path, content } = randomFile(8 * CHUNK_BYTES);
  const session = testSession();
  const { server: running } = await serve({ ...session, imagePath: path });
  const party = new ScriptedParty('127.0.3.66', session);
  const again = (): void => party.say({ kind: 'prequest', chunk: 0, retries: 1, map: BlockMap.ofRun(0, 1000) });
  await party.open(1 << 20, ({ message }) => {
    if (message.kind === 'block' && message.chunk === 0 && message.block % 50 === 0) again();
  });
  onTestFinished(() => party.close());
  again();
  const sink = new MemoryOutput();
  await receiveImage({ ...session, localIp: '127.0.3.1', loopback: true, sink });
  expect(sink.content.equals(content)).toBe(true);
  expect((await running.stop()).sentBlocks).toBeGreaterThan(8 * 1024 + 1000); // it did ask
});

describe('a server of a later release', () => {
  test('answers to the group alone and asks for reports: a client of ours takes the image, and sends none', async () => {
    for (const raw of [false, true]) {
      const { content } = randomFile(raw ? 70_001 : 2 * CHUNK_BYTES);
      const session = testSession();
      const later = await serveAsLater(content, '127.0.0.1', session);
      onTestFinished(() => later.close());
      const sink = new MemoryOutput();
      await receiveImage({ ...session, localIp: '127.0.3.1', loopback: true, sink, raw });
      expect(sink.content.equals(content)).toBe(true);
      expect(later.reports()).toBe(0);
    }
  });
});

describe('files of odd sizes, as they are (-N)', () => {
  test.each([1, 1023, 1025, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])('%i bytes', async (sizeBytes) => {
    const { path, content } = randomFile(sizeBytes);
    const session = testSession();
    await serve({ ...session, imagePath: path });
    const copy = join(temporaryFolder(), 'copy');
    const { done, stderr } = client(`-N -q -i 127.0.3.1 -m ${session.group} -p ${session.port} ${copy}`);
    expect(await done).toBe(0);
    expect(readFileSync(copy).equals(content)).toBe(true);
    expect(stderr.text).toContain(`Wrote ${sizeBytes} bytes (${sizeBytes} actual)`);
  });
});

describe('without multicast', () => {
  test('-b: everybody on this machine, two clients, one server', async () => {
    const { path, content } = randomFile(2 * CHUNK_BYTES + 5);
    const { port } = testSession();
    const serving = server(`-d -b -T -1 -W 300000000 -i 127.0.0.1 -p ${port} ${path}`);
    await expect.poll(() => serving.stderr.text).toContain(`Bound to port ${port}`);
    const copies = [1, 2].map((n) => join(temporaryFolder(), `copy${n}`));
    const clients = copies.map((copy, i) => client(`-b -N -q -i 127.0.3.${i + 1} -p ${port} ${copy}`));
    expect(await Promise.all(clients.map(({ done }) => done))).toEqual([0, 0]);
    for (const copy of copies) expect(readFileSync(copy).equals(content)).toBe(true);
    expect(await serving.done).toBe(0);
    expect(serving.stderr.text).not.toContain('Using Multicast');
    expect(serving.stderr.text.match(/leaves at/g)).toHaveLength(2);
  });

  test('-m with the address of the one peer, both ways', async () => {
    const { path, content } = randomFile(2 * CHUNK_BYTES + 5);
    const { port } = testSession();
    const serving = server(`-d -T -1 -W 300000000 -i 127.0.0.1 -m 127.0.3.9 -p ${port} ${path}`);
    await expect.poll(() => serving.stderr.text).toContain(`Bound to port ${port}`);
    const copy = join(temporaryFolder(), 'copy');
    expect(await client(`-N -q -i 127.0.3.9 -m 127.0.0.1 -p ${port} ${copy}`).done).toBe(0);
    expect(readFileSync(copy).equals(content)).toBe(true);
    expect(await serving.done).toBe(0);
  });

  test('a broadcast is heard by the address it is for alone', async () => {
    const { path, content } = randomFile(CHUNK_BYTES);
    const { port } = testSession();
    await serve({ group: LOOPBACK_BROADCAST, port, imagePath: path });
    const sink = new MemoryOutput();
    await receiveImage({ group: LOOPBACK_BROADCAST, port, localIp: '127.0.3.1', loopback: true, sink });
    expect(sink.content.equals(content)).toBe(true);
  });
});

describe('the end of a server', () => {
  test('-T 1 ends after a second without requests, -T 0 goes on, and a join is no request', async () => {
    const { path } = randomFile(CHUNK_BYTES);
    const [first, second] = [testSession(), testSession()];
    const forever = server(`-d -T 0 -i 127.0.0.1 -m ${first.group} -p ${first.port} ${path}`);
    const limited = server(`-d -T 1 -i 127.0.0.1 -m ${second.group} -p ${second.port} ${path}`);
    await expect.poll(() => limited.stderr.text).toContain('Using Multicast');
    const nagging = client(`-i 127.0.3.1 -m ${second.group} -p ${second.port} -S 127.0.0.99 ${join(temporaryFolder(), 'disk')}`); // joins for ever
    expect(await limited.done).toBe(0);
    expect(limited.stderr.text).toContain('No requests for 1 seconds!\n');
    expect(limited.stderr.text).toContain('joins (v1)');
    forever.stop.abort(new Error('SIGTERM'));
    expect(await forever.done).toBe(0);
    expect(forever.stderr.text).toContain('Interrupted!\n');
    nagging.stop.abort(new Error('SIGTERM'));
    await nagging.done;
  });
});
