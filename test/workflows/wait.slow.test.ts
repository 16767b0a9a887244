import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { waitForSsh } from '../../src/workflows/wait.js';
import { nodeAt } from '../helpers/nodes.js';
import { nodeRun } from '../helpers/node-run.js';
import { serve, sshd } from '../ssh/servers.js';

const BOOT = '5d0c1a9e-5a64-4f7e-9c51-0a6f5f7f2f0e\n100.00 1.00\n';

test('a server that takes 6 s to say its version and 11 s to run a command (slow name service, PAM) is waited for, by one connection', async () => {
  let connections = 0;
  const inner = await sshd({
    allow: () => true,
    onConnection: () => (connections += 1),
    onExec: (_, channel) => void delay(11_000).then(() => (channel.write(BOOT), channel.exit(0), channel.end())),
  });
  const slow = await serve(
    (socket) =>
      void delay(6_000).then(() => {
        const onward = connect(inner.port, inner.host).on('error', () => {});
        socket.on('close', () => onward.destroy());
        socket.pipe(onward).pipe(socket);
      }),
  );
  try {
    const { run, events } = nodeRun(nodeAt(slow.host));
    const options = { port: slow.port, backoffMs: 100, lastBoot: async () => null, username: 'root', auth: { privateKeys: [] } };
    expect(await waitForSsh(run, options, new AbortController().signal)).toMatchObject({ via: 'ssh', uptimeMs: 100_000 });
    expect(connections).toBe(1);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'target.note', text: expect.stringContaining('still waiting for its version after 5 s') as unknown }),
    );
  } finally {
    await slow.close();
    await inner.close();
  }
}, 60_000);
