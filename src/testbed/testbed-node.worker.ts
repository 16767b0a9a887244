import { messageOf } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { frisbeeProcess } from './frisbee-process.js';
import { FrisbeeThread } from './frisbee-thread.js';
import { localNodeHost } from './local-node-host.js';
import type { NodeHost } from './node-host.js';
import type { FromNodeProcess, ToNodeProcess } from './node-process.js';

// One emulated node in a process of its own, inside the node's network namespace: started by netns-node-host.ts.

let host: NodeHost | undefined;

function say(message: FromNodeProcess, then: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, undefined, then);
  else then();
}

async function start({
  spec,
  shellProgram,
  sessionsFolder,
  frisbeeBin,
  sshHostKey,
}: Extract<ToNodeProcess, { kind: 'start' }>): Promise<void> {
  const thread = new FrisbeeThread({ loopback: false });
  host = localNodeHost({
    host: systemHost,
    shellProgram,
    sessionsFolder,
    frisbee: (node, disk, crash) =>
      frisbeeBin === null ? thread.program(node.setup.faults, disk, crash) : frisbeeProcess(frisbeeBin, disk, systemHost),
    closeFrisbee: () => thread.close(),
    sshHostKey,
    onPhase: (_, phase) => say({ kind: 'phase', phase }),
    onProblem: (text) => say({ kind: 'problem', text }),
  });
  await host.start(spec);
}

async function close(): Promise<void> {
  await host?.close();
  say({ kind: 'closed' }, () => process.exit(0));
}

process.on('message', (message: ToNodeProcess) => {
  if (message.kind === 'close') return void close();
  start(message).then(
    () => say({ kind: 'started' }),
    (error: unknown) => say({ kind: 'failed', message: messageOf(error) }),
  );
});
process.on('disconnect', () => void close()); // the testbed was killed
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined); // the testbed decides
