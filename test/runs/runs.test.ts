import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bootRecords } from '../../src/runs/node-records.js';
import { childRecords } from '../../src/runs/children.js';
import { openLogFile } from '../../src/app/log-file.js';
import { newRunId } from '../../src/runs/store.js';
import { openRunFolder } from '../../src/runs/run-folder.js';
import { processIdentity, systemHost, type Host } from '../../src/util/host.js';
import { scratch } from '../helpers/cli.js';

describe('boot records', () => {
  test('the last one counts, and survives the process', async () => {
    const dir = scratch();
    const records = bootRecords(dir, [], systemHost);
    expect(await records.last('fit01')).toBeNull();
    await records.record('fit01', 'reset', 1_000);
    await records.record('fit01', 'off', 2_000);
    expect(await bootRecords(scratch(), [dir], systemHost).last('fit01')).toBe(2_000);
    expect(readdirSync(join(dir, 'nodes'))).toEqual([`fit01.${systemHost.uid()}.json`]);
  });

  test('a garbled one is as good as none, a folder that cannot be written is named', async () => {
    const dir = scratch();
    mkdirSync(join(dir, 'nodes'));
    writeFileSync(join(dir, `nodes/fit01.${systemHost.uid()}.json`), '{"lastBoot');
    expect(await bootRecords(dir, [], systemHost).last('fit01')).toBeNull();
    writeFileSync(join(dir, 'file'), '');
    await expect(bootRecords(join(dir, 'file'), [], systemHost).record('fit01', 'off', 1)).rejects.toMatchObject({
      code: 'no-boot-record',
      message: expect.stringContaining(dir),
    });
  });
});

describe('child records', () => {
  test('a child whose parent is gone is ended, one whose parent lives is not', async () => {
    const dir = scratch();
    const records = childRecords(dir, systemHost);
    const parent = spawn('sleep', ['60']);
    const [ofOrphan, ofKept] = [childRecords(dir, { pid: parent.pid ?? 0 }).prepare(), records.prepare()];
    // a script around the program: what it becomes is still what we started
    const orphan = spawn('sh', ['-c', 'exec sleep 60'], { env: { ...process.env, ...ofOrphan.env } });
    const kept = spawn('sleep', ['60'], { env: { ...process.env, ...ofKept.env } });
    await ofOrphan.remember(orphan.pid ?? 0);
    await ofKept.remember(kept.pid ?? 0);
    expect(await records.sweep()).toEqual({ ended: [], problems: [] });
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    expect(await records.orphans()).toEqual([orphan.pid]);
    const ended = once(orphan, 'exit');
    expect(await records.sweep()).toEqual({ ended: [orphan.pid], problems: [] });
    await ended;
    expect(processIdentity(kept.pid ?? 0)).not.toBeNull();
    kept.kill();
  });

  test('a record of a pid that is somebody else by now ends nobody', async () => {
    const dir = scratch();
    const stranger = spawn('sleep', ['60']);
    mkdirSync(join(dir, 'children'));
    const gone = { pid: 1, startTime: 'x', bootId: 'x' };
    const forged = (name: string, record: object): void =>
      writeFileSync(join(dir, 'children', name), JSON.stringify({ parent: gone, mark: 'a'.repeat(24), ...record }), { mode: 0o644 });
    forged('1.json', { child: { pid: stranger.pid, startTime: 'other', bootId: 'x' } });
    forged('2.json', { child: processIdentity(stranger.pid ?? 0) }); // the very process, but not one that was started for this record
    expect(await childRecords(dir, systemHost).orphans()).toEqual([]);
    expect(await childRecords(dir, systemHost).sweep()).toEqual({ ended: [], problems: [] });
    expect(processIdentity(stranger.pid ?? 0)).not.toBeNull();
    expect(readdirSync(join(dir, 'children'))).toEqual([]);
    stranger.kill();
  });
});

describe('imaging.log', () => {
  const hostAt = (cwd: string, home: string): Host => ({ ...systemHost, cwd: () => cwd, home: () => home });

  test('in the current folder, with time and run; a line break cannot forge a line', () => {
    const dir = scratch();
    const log = openLogFile(hostAt(dir, scratch()), () => {});
    log?.write(Date.UTC(2026, 10, 21), 'run-1', 'fit01 boot\nroot did it');
    log?.close();
    expect(readFileSync(join(dir, 'imaging.log'), 'utf8')).toBe('2026-11-21T00:00:00.000Z run-1 fit01 boot | root did it\n');
  });

  test('else in the home folder, else a warning', () => {
    const home = scratch();
    const log = openLogFile(hostAt('/nonexistent', home), () => {});
    log?.close();
    expect(existsSync(join(home, 'imaging.log'))).toBe(true);
    const warnings: string[] = [];
    expect(openLogFile(hostAt('/nonexistent', '/nonexistent'), (text) => warnings.push(text))).toBeNull();
    expect(warnings).toEqual([expect.stringMatching(/^no imaging\.log: /)]);
  });
});

describe('a run folder', () => {
  test('holds the events and what each node said', () => {
    const dir = scratch();
    const run = newRunId('load', { ...systemHost, now: () => Date.UTC(2026, 10, 21, 2, 30, 11), random: () => 0.5 });
    expect(run).toBe('20261121-023011-load-8000');
    const folder = openRunFolder(dir, run, () => {});
    folder?.journal({ at: 1, run, seq: 0, type: 'run.note', text: 'x' });
    const transcript = folder?.transcript('fit01');
    transcript?.(Uint8Array.of(0xff, 0x0a));
    transcript?.(Uint8Array.of(0x41));
    folder?.finish(null);
    expect(readdirSync(join(dir, 'runs', run)).sort()).toEqual(['events.jsonl', 'fit01.log']);
    expect(JSON.parse(readFileSync(join(dir, 'runs', run, 'events.jsonl'), 'utf8'))).toMatchObject({ seq: 0, type: 'run.note' });
    expect([...readFileSync(join(dir, 'runs', run, 'fit01.log'))]).toEqual([0xff, 0x0a, 0x41]);
  });

  test('a folder that cannot be made costs a warning, not the run', () => {
    const warnings: string[] = [];
    const file = join(scratch(), 'file');
    writeFileSync(file, '');
    expect(openRunFolder(file, 'r', (text) => warnings.push(text))).toBeNull();
    expect(warnings).toHaveLength(1);
  });
});
