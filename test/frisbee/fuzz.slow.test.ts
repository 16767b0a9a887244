import { expect, test } from 'vitest';
import { temporaryFolder, testSession } from '../helpers/frisbee.js';
import { fuzzClient, fuzzServer } from './fuzz.js';
import { fuzzSockets } from './fuzz-sockets.js';

// scripts/fuzz-frisbee.mjs does ten million, and a hundred thousand through sockets
test('a server core: 100,000 damaged datagrams, from a million addresses', () => {
  const report = fuzzServer(100_000, 7);
  expect(report.accepted).toBeGreaterThan(30_000);
  expect(report.slowestMs).toBeLessThan(2_000);
});

test('a client core: 100,000 damaged datagrams; nothing forged changes anything, and every chunk is the server’s', () => {
  const report = fuzzClient(100_000, 8);
  expect(report.accepted).toBeGreaterThan(30_000);
  expect(report.completed).toBeGreaterThan(3);
  expect(report.slowestMs).toBeLessThan(2_000);
});

test('3,000 damaged datagrams through sockets while images are transferred, which arrive', async () => {
  const report = await fuzzSockets(temporaryFolder(), testSession(), 3_000, 9);
  expect(report.transfers).toBeGreaterThanOrEqual(2);
  expect(report.sentBlocks).toBeGreaterThanOrEqual(report.imageBlocks);
}, 60_000);
