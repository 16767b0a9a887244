import type { Server } from 'node:net';

/** How many connections may wait to be accepted: a status of all nodes at once comes as one burst. */
const BACKLOG = 64;

/** Listens on one address; rejects with the system's error (`EADDRINUSE`, `EADDRNOTAVAIL`). */
export function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG, exclusive: true }, () => {
      server.off('error', reject);
      server.on('error', () => {}); // a connection that could not be accepted; its client sees it
      resolve();
    });
  });
}

/** Stops listening and waits for the connections, which the caller has ended. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
