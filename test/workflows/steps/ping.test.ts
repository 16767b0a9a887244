import { expect, test } from 'vitest';
import { systemHost } from '../../../src/util/host.js';
import { createPinger } from '../../../src/workflows/steps/ping.js';

const never = new AbortController().signal;

test('the exit status of the program is the answer, each for its own address', async () => {
  const pinger = createPinger(['test', '{ip}', '=', '10.0.0.1'], systemHost);
  const answers = await Promise.all(['10.0.0.1', '10.0.0.2', '10.0.0.1'].map((ip) => pinger.answers(ip, never)));
  expect(answers).toEqual([true, false, true]);
  pinger.close();
});

test('a slow one does not hold up the others, and its signal ends the question', async () => {
  const pinger = createPinger(['sh', '-c', 'case {ip} in slow) sleep 60;; esac'], systemHost);
  const controller = new AbortController();
  const slow = pinger.answers('slow', controller.signal);
  expect(await pinger.answers('fast', never)).toBe(true);
  controller.abort();
  expect(await slow).toBe(false);
  pinger.close();
});

test('words are words, whatever is in them', async () => {
  const pinger = createPinger(['test', "it's $HOME; {ip}", '=', "it's $HOME; x"], systemHost);
  expect(await pinger.answers('x', never)).toBe(true);
  pinger.close();
});

test('no such program: no answer, no error', async () => {
  const pinger = createPinger(['/nonexistent/ping', '{ip}'], systemHost);
  expect(await pinger.answers('1.2.3.4', never)).toBe(false);
  pinger.close();
});

test('closed while asked: no answer', async () => {
  const pinger = createPinger(['sleep', '60'], systemHost);
  const asked = pinger.answers('x', never);
  pinger.close();
  expect(await asked).toBe(false);
});
