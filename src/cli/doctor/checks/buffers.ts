import { createSocket } from 'node:dgram';
import { SOCKET_BUFFER_BYTES } from '../../../frisbee/sockets.js';
import { ok, warning, type Check, type Finding } from '../finding.js';

/** What the kernel gives sockets, against what a load asks for. */
export const buffers = {
  name: 'socket-buffers',
  needs: 'nothing',
  run: () => bufferFindings(SOCKET_BUFFER_BYTES),
} satisfies Check;

/** Opens a socket with buffers of `wantedBytes`, and compares with what was granted. */
export async function bufferFindings(wantedBytes: number): Promise<Finding[]> {
  const granted = await grantedBytes(wantedBytes);
  const findings = (['receive', 'send'] as const)
    .filter((which) => granted[which] < wantedBytes)
    .map((which) => smallBuffer(which, granted[which], wantedBytes));
  if (findings.length > 0) return findings;
  return [ok(`${wantedBytes} bytes each way, as asked for`)];
}

function smallBuffer(which: 'receive' | 'send', grantedBytes: number, wantedBytes: number): Finding {
  const key = which === 'receive' ? 'net.core.rmem_max' : 'net.core.wmem_max';
  const cause =
    which === 'receive'
      ? 'requests of nodes are lost when many come at once, and images saved or received here lose data that has to be sent again'
      : 'the server is held up each time it sends a burst: loads are slower than the network';
  return warning(
    `a socket gets a ${which} buffer of ${grantedBytes} bytes, not the ${wantedBytes} that are asked for`,
    cause,
    `as root: sysctl -w ${key}=${wantedBytes}`,
    `for good: echo '${key} = ${wantedBytes}' > /etc/sysctl.d/60-imaging-${which}.conf`,
  );
}

function grantedBytes(wantedBytes: number): Promise<Record<'receive' | 'send', number>> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: wantedBytes, sendBufferSize: wantedBytes });
    socket.once('error', reject);
    socket.bind({ port: 0, address: '127.0.0.1', exclusive: true }, () => {
      // Linux counts its own overhead in and reports twice what it grants
      const granted = { receive: socket.getRecvBufferSize() / 2, send: socket.getSendBufferSize() / 2 };
      socket.close(() => resolve(granted));
    });
  });
}
