import { expect, test } from 'vitest';
import type { EventBody } from '../../../src/events/types.js';
import { SessionJoins } from '../../../src/workflows/session/joins.js';

const join = (address: string, clientId: number) =>
  ({ type: 'join', address, clientId, version: 1, again: false, activeClients: 1 }) as const;
const leave = (address: string, clientId: number) =>
  ({ type: 'leave', address, clientId, elapsedSeconds: 1, reason: 'silent', stats: null, activeClients: 0 }) as const;

function joins(): { joins: SessionJoins; events: EventBody[]; warnings: () => string[] } {
  const events: EventBody[] = [];
  const joins = new SessionJoins({
    emit: (event) => void events.push(event),
    nodeOf: (address) => (address === '10.9.0.7' ? 'fit07' : null),
  });
  return { joins, events, warnings: () => events.flatMap((event) => (event.type === 'run.warning' ? [event.text] : [])) };
}

test('a node that joins and leaves, also once more, is told each time', () => {
  const { joins: session, events } = joins();
  for (const id of [1, 2]) {
    session.onEvent(join('10.9.0.7', id));
    session.onEvent({ ...join('10.9.0.7', id), again: true });
    session.onEvent(leave('10.9.0.7', id));
  }
  session.end(10_001);
  expect(events.map(({ type }) => type)).toEqual(['server.join', 'server.leave', 'server.join', 'server.leave']);
});

test('thousands of joins from elsewhere are one line with their number', () => {
  const { joins: session, events, warnings } = joins();
  for (let i = 0; i < 6_000; i++) {
    session.onEvent(join(`10.8.${i >> 8}.${i & 255}`, i));
    session.onEvent(leave(`10.8.${i >> 8}.${i & 255}`, i));
  }
  expect(events).toEqual([]);
  session.end(10_001);
  session.end(10_001);
  expect(warnings()).toEqual([
    '6000 joins of the session on port 10001 from addresses that are no nodes of this load (10.8.0.0, 10.8.0.1, 10.8.0.2, 10.8.0.3, ...): who else is in this network?',
  ]);
});

test('so are joins under the address of a node, beyond what it can need, and refusals', () => {
  const { joins: session, events, warnings } = joins();
  for (let i = 0; i < 1_000; i++) {
    session.onEvent(join('10.9.0.7', i));
    session.onEvent(leave('10.9.0.7', i));
    session.onEvent({ type: 'join-refused', address: '10.9.0.7' });
  }
  session.end(10_001);
  expect(events.length).toBeLessThan(70);
  expect(warnings()).toEqual([
    'fit07 was refused: the image is not a multiple of 1 MiB',
    expect.stringMatching(/^968 more joins of the session on port 10001 from addresses of nodes/),
  ]);
});
