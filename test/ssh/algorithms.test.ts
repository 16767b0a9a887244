import type { Algorithms } from 'ssh2';
import { afterEach, describe, expect, test } from 'vitest';
import { sshExec } from '../../src/ssh/login.js';
import { OfferReader } from '../../src/ssh/offer.js';
import { helloOf, serve, sshd, type Server } from './servers.js';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const login = (target: Server) =>
  sshExec(
    {
      host: target.host,
      port: target.port,
      username: 'root',
      auth: { privateKeys: [] },
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    },
    'true',
  );

const OLD: [string, Algorithms][] = [
  ['only the SHA-1 group 14', { kex: ['diffie-hellman-group14-sha1'] }],
  ['only the SHA-1 group 1', { kex: ['diffie-hellman-group1-sha1'] }],
  ['only CBC', { cipher: ['aes128-cbc'] }],
  ['only 3DES', { cipher: ['3des-cbc'] }],
  ['only MD5', { hmac: ['hmac-md5'], cipher: ['aes128-ctr'] }],
];

describe('old servers', () => {
  test.each(OLD)('gets in to one that knows %s', async (_, algorithms) => {
    const target = await sshd({ allow: () => true, onExec: (__, channel) => (channel.exit(0), channel.end()), algorithms });
    servers.push(target);
    expect(await login(target)).toMatchObject({ status: 0 });
  });

  test('takes the better ones where there is a choice', async () => {
    let kex = '';
    const target = await serve((socket) => {
      socket.write(helloOf(['diffie-hellman-group1-sha1', 'curve25519-sha256']));
      let said = '';
      socket.on('data', (chunk: Buffer) => {
        kex = /(?:curve25519|ecdh|diffie)[^\0]*/.exec((said += chunk.toString('latin1')))?.[0] ?? kex;
        if (kex.includes('group1-sha1')) socket.destroy();
      });
    });
    servers.push(target);
    await expect(login(target)).rejects.toMatchObject({ code: 'ssh-closed' });
    expect(kex.split(',')[0]).toMatch(/^curve25519/);
    expect(kex.indexOf('group14-sha1')).toBeGreaterThan(kex.indexOf('group18-sha512'));
  });

  test('says what a server offers that has nothing in common with us', async () => {
    const target = await serve((socket) => socket.write(helloOf(['sntrup761x25519-sha512', 'kex-strict-s-v00@openssh.com'])));
    servers.push(target);
    await expect(login(target)).rejects.toMatchObject({
      code: 'ssh-no-algorithm',
      message: `ssh ${target.host}:${target.port}: there is no key exchange algorithm that both sides know; it offers only: sntrup761x25519-sha512, kex-strict-s-v00@openssh.com`,
    });
  });
});

describe('OfferReader', () => {
  test('reads the offer however it is cut', () => {
    const hello = Buffer.concat([Buffer.from('Welcome\r\n'), helloOf(['a', 'b'])]);
    for (let at = 0; at <= hello.length; at += 1) {
      const reader = new OfferReader();
      reader.push(hello.subarray(0, at));
      reader.push(hello.subarray(at));
      expect(reader.offer).toEqual({ kex: ['a', 'b'], hostKey: ['ssh-ed25519'], cipher: ['aes128-ctr'], mac: ['hmac-sha2-256'] });
    }
  });

  test.each([
    'SSH-2.0-x\r\n\0\0\0\x10\x04\x14',
    'SSH-2.0-x\r\n\0\0\0\x02\x04\x14',
    `SSH-2.0-x\r\n\0\0\0\x30\x04\x14${'\xff'.repeat(60)}`,
    'x'.repeat(70_000),
  ])('makes nothing of nonsense', (text) => {
    const reader = new OfferReader();
    reader.push(Buffer.from(text, 'latin1'));
    expect(reader.offer).toBeNull();
  });
});
