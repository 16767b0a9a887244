import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bootFiles } from '../../../src/cli/doctor/boot-config.js';
import { ok, type Check } from '../../../src/cli/doctor/finding.js';
import { checks } from '../../../src/cli/doctor/checks.js';
import { bufferFindings } from '../../../src/cli/doctor/checks/buffers.js';
import { filesFinding, versionFinding } from '../../../src/cli/doctor/checks/runtime.js';
import { systemCallFindings } from '../../../src/cli/doctor/checks/system-calls.js';
import { capabilities } from '../../../src/native/capabilities.js';
import { capability } from '../../../src/native/capability.js';
import { OFF_VARIABLE } from '../../../src/native/switches.js';
import { udpBatches } from '../../../src/native/udp-batches.js';
import { runChecks } from '../../../src/cli/doctor/run-checks.js';
import { packageRoot } from '../../../src/util/dist.js';
import { systemHost } from '../../../src/util/host.js';
import { fail as diskFail } from '../../../src/disk/failures.js';

const never = new AbortController().signal;
const examination = { gateway: { host: systemHost, nodeCount: 0 }, configured: null, site: null, results: [] };
const check = (name: string, run: () => Promise<ReturnType<typeof ok>[]>): Check => ({ name, needs: 'nothing', run });

test('socket buffers: what the kernel grants is measured, and the setting that bounds it named', async () => {
  expect(await bufferFindings(4_096)).toMatchObject([{ status: 'ok' }]);
  // more than any kernel is set to grant
  const findings = await bufferFindings(1 << 30);
  expect(findings).toMatchObject([{ status: 'warning' }, { status: 'warning' }]);
  const granted = Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8'));
  expect(findings[0]?.message).toBe(`a socket gets a receive buffer of ${granted} bytes, not the 1073741824 that are asked for`);
  expect(findings.map(({ fix }) => fix[0])).toEqual([
    'as root: sysctl -w net.core.rmem_max=1073741824',
    'as root: sysctl -w net.core.wmem_max=1073741824',
  ]);
});

test('system calls: what is off is a remark, with the reason and what is done instead; words that mean nothing are told', async () => {
  const before = process.env[OFF_VARIABLE];
  onTestFinished(() => void (before === undefined ? delete process.env[OFF_VARIABLE] : (process.env[OFF_VARIABLE] = before)));
  process.env[OFF_VARIABLE] = 'udp-batches udp-batch';
  const old = capability({ name: 'direct-io', does: 'a', without: 'b is done' }, () => {
    throw new Error('this kernel is old');
  });
  const here = capability({ name: 'uevents', does: 'c', without: 'd' }, () => 1);
  expect(await systemCallFindings([udpBatches, old, here])).toMatchObject([
    {
      status: 'warning',
      message: 'IMAGING_NATIVE_OFF switches off "udp-batch", which nothing is called: did you mean udp-batches?',
    },
    {
      status: 'ok',
      message: `on: uevents; off: udp-batches (switched off (IMAGING_NATIVE_OFF or native.off): ${udpBatches.without}); direct-io (this kernel is old: b is done)`,
    },
  ]);
  process.env[OFF_VARIABLE] = 'all';
  expect(await systemCallFindings(capabilities)).toMatchObject([
    { status: 'ok', message: expect.stringMatching(/^on: none; off: udp-batches \(/) },
  ]);
});

test('Node.js: the oldest that works, and older ones', () => {
  for (const version of ['20.19.0', '20.20.2', '22.1.0', '101.0.0']) expect(versionFinding(version).status, version).toBe('ok');
  for (const version of ['20.18.9', '18.20.0'])
    expect(versionFinding(version), version).toMatchObject({ status: 'problem', cause: 'imaging needs 20.19 or later' });
});

test('open files against the size of the testbed', () => {
  const limits = (hard: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 ${hard}                 files\n`;
  expect(filesFinding(limits('1024'), 37).status).toBe('ok');
  expect(filesFinding(limits('unlimited'), 5_000).status).toBe('ok');
  expect(filesFinding(limits('1024'), 500)).toMatchObject({
    status: 'warning',
    message: 'a process may open 1024 files; all 500 nodes at once take about 2100',
  });
  expect(filesFinding('', 3).status).toBe('skipped');
});

test('what boot configurations name', () => {
  expect(bootFiles('DEFAULT a\nLABEL a\n kernel vmlinuz ro\n append root=/dev/ram0 initrd=a.img,b.img quiet\n')).toEqual({
    kernels: ['vmlinuz'],
    initrds: ['a.img', 'b.img'],
  });
  expect(bootFiles('LABEL b\r\n\tLINUX k\r\n\tINITRD i\r\n')).toEqual({ kernels: ['k'], initrds: ['i'] });
  expect(bootFiles('DEFAULT nothing\n')).toBe(null);
  expect(bootFiles('KERNEL \0\0')).toBe(null);
});

test('checks run at once, results come in order; a late one and one that fails are findings of their own', async () => {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const names: string[] = [];
  const results = await runChecks(
    [
      check('first', () => gate.then(() => [ok('waited for the second')])),
      check('second', async () => {
        release();
        throw diskFail('disk-read-failed', 'it is broken', 'mend it');
      }),
      check('late', () => new Promise(() => {})),
      { name: 'needs', needs: 'inventory', run: async () => [ok('not reached')] },
    ],
    examination,
    never,
    ({ name }) => names.push(name),
    20,
  );
  expect(names).toEqual(['first', 'second', 'late', 'needs']);
  expect(results).toMatchObject([
    { status: 'ok' },
    { status: 'problem', findings: [{ message: 'it is broken', fix: ['mend it'] }] },
    { status: 'problem', findings: [{ message: 'still not known after 0.02 s' }] },
    { status: 'skipped' },
  ]);
});

test('a defect is no finding, and an interruption none either', async () => {
  const broken = [check('defect', () => Promise.reject(new TypeError('of ours')))];
  await expect(runChecks(broken, examination, never, () => {})).rejects.toThrow('of ours');
  await expect(
    runChecks([check('slow', () => new Promise(() => {}))], examination, AbortSignal.abort(new Error('Ctrl-C')), () => {}),
  ).rejects.toThrow('Ctrl-C');
});

test('docs/doctor.md has a row for each check, in order', () => {
  const text = readFileSync(join(packageRoot, 'docs/doctor.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]);
  expect(rows).toEqual(['configuration', 'inventory', ...checks.map(({ name }) => name)]);
});
