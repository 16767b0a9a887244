import { expect, it } from 'vitest';
import { shortName } from '../../src/util/host.js';

it.each([
  ['faraday.inria.example', 'faraday'],
  ['a/b', 'a-b'],
  ['../x', '-x'],
  ['.gw', 'gw'],
  ['', 'localhost'],
  ['...', 'localhost'],
  ['my gateway\n2', 'my-gateway-2'],
  ['gäte_way-7', 'gäte_way-7'],
])('the machine %j is called %s, which is fit for files and never empty', (hostname, name) => {
  expect(shortName(hostname)).toBe(name);
});
