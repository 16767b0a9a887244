import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createDigest, DIGEST_NAMES } from '../../src/disk/digest.js';

test.each(['', '123456789', 'a'.repeat(70_000), randomBytes(300_000)])('makes the digests that the programs print', (content) => {
  const bytes = Buffer.from(content);
  for (const name of DIGEST_NAMES) {
    const { stdout, error } = spawnSync(name === 'cksum' ? name : `${name}sum`, { input: bytes, encoding: 'latin1' });
    if (error) continue; // a machine without that program
    const digest = createDigest(name);
    for (let at = 0; at < bytes.byteLength; at += 65_521) digest.update(bytes.subarray(at, at + 65_521));
    expect(digest.finish()).toBe(stdout.trim().replace(/ +-$/, ''));
  }
});

test('knows the check value of POSIX cksum', () => {
  const digest = createDigest('cksum');
  digest.update(Buffer.from('123456789'));
  expect(digest.finish()).toBe('930766865 9');
});
