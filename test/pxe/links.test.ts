import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkTarget } from '../../src/pxe/check-folder.js';
import { createLinks, type NextBootLinks } from '../../src/pxe/links.js';
import { processIdentity, systemHost } from '../../src/util/host.js';
import { UserError } from '../../src/util/errors.js';
import { loginOf } from '../../src/util/owned-file.js';

const MAC = '00:03:1D:0E:03:53';
const LINK = '01-00-03-1d-0e-03-53';
const RECORD = `.imaging-${LINK}.json`;
/** Whose the files are that this process makes. */
const OWNER = loginOf(process.getuid?.() ?? 0);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imaging-pxe-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function links(run = 'run-1'): NextBootLinks {
  return createLinks({ configDir: folder, target: 'pxefrisbee', host: systemHost, run });
}

/** Makes a file look as if nobody had touched it for so long. */
function silent(name: string, seconds: number): void {
  const at = new Date(Date.now() - seconds * 1000);
  utimesSync(join(folder, name), at, at);
}

/** A record as a run of an earlier version wrote it, by a process that is gone (its start time is not that of the pid) unless told otherwise. */
function deadRecord(change: Record<string, unknown> = {}): string {
  const process = { ...processIdentity(systemHost.pid), startTime: '1' };
  return JSON.stringify({ process, run: 'old', node: 'fit07', login: 'alice', at: 0, target: 'pxefrisbee', nonce: 'n1', ...change });
}

describe('place', () => {
  test('makes a relative link named after the MAC in lower case, dangling or not, and a record beside it', async () => {
    expect(await links().place(MAC, 'fit07')).toEqual({ replaced: null });
    expect(readlinkSync(join(folder, LINK))).toBe('pxefrisbee');
    expect(readdirSync(folder).sort()).toEqual([RECORD, LINK].sort());
    expect(JSON.parse(readFileSync(join(folder, RECORD), 'utf8'))).toMatchObject({
      process: processIdentity(process.pid),
      run: 'run-1',
      node: 'fit07',
      login: systemHost.login(),
      target: 'pxefrisbee',
      at: expect.any(Number),
    });
  });

  test('can be done again by the same run', async () => {
    const run = links();
    await run.place(MAC, 'fit07');
    expect(await run.place(MAC, 'fit07')).toEqual({ replaced: null });
  });

  test("replaces another program's link, dangling too, and says what it pointed to", async () => {
    symlinkSync('nowhere', join(folder, LINK));
    expect(await links().place(MAC, 'fit07')).toEqual({ replaced: 'nowhere' });
    expect(readlinkSync(join(folder, LINK))).toBe('pxefrisbee');
  });

  test.each(['file', 'folder'])('does not touch a %s written by hand', async (kind) => {
    if (kind === 'file') writeFileSync(join(folder, LINK), 'DEFAULT local');
    else mkdirSync(join(folder, LINK));
    await expect(links('run-2').place(MAC, 'fit07')).rejects.toMatchObject({
      code: 'pxe-occupied',
      message: expect.stringContaining(LINK),
    });
    expect(readdirSync(folder)).toEqual([LINK]);
  });

  test('refuses a node that another live run holds, naming it', async () => {
    await links('run-1').place(MAC, 'fit07');
    await expect(links('run-2').place(MAC, 'fit07')).rejects.toMatchObject({
      code: 'node-busy',
      message: expect.stringMatching(new RegExp(`^fit07 is in the hands of run run-1 of ${OWNER} \\(pid ${process.pid} on .*, since 20`)),
    });
  });

  test('unlinks without giving the node up', async () => {
    const ours = links();
    await ours.place(MAC, 'fit07');
    await ours.unlink(MAC);
    await ours.unlink(MAC);
    expect(() => lstatSync(join(folder, LINK))).toThrow(/ENOENT/);
    await expect(links('run-2').place(MAC, 'fit07')).rejects.toMatchObject({ code: 'node-busy' });
    await ours.release(MAC);
    await expect(links('run-2').place(MAC, 'fit07')).resolves.toEqual({ replaced: null });
  });

  test.each([
    ['start time', {}],
    ['boot', { process: { ...processIdentity(process.pid), bootId: 'other' } }],
    ['pid', { process: { ...processIdentity(process.pid), pid: 4_194_304 } }],
  ])('takes over from a run that is gone: other %s', async (_, change) => {
    writeFileSync(join(folder, RECORD), deadRecord(change));
    silent(RECORD, 301);
    symlinkSync('pxefrisbee', join(folder, LINK));
    expect(await links().place(MAC, 'fit07')).toEqual({ replaced: null });
    expect(JSON.parse(readFileSync(join(folder, RECORD), 'utf8')).run).toBe('run-1');
    expect(readdirSync(folder).sort()).toEqual([RECORD, LINK].sort());
  });

  test.each([
    ['', 'empty'],
    ['{"process":', 'cut short'],
    ['null', 'no object'],
    ['{"process":{"pid":"1"}}', 'wrong types'],
    [deadRecord({ process: processIdentity(systemHost.pid), at: 1e300 }), 'a moment beyond all time'],
    [deadRecord({ process: { ...processIdentity(systemHost.pid), pid: 1e12 } }), 'no pid'],
    ['x'.repeat(100_000), 'huge'],
  ])('takes over a garbled record (%#: $1)', async (contents) => {
    writeFileSync(join(folder, RECORD), contents);
    await links().place(MAC, 'fit07');
    expect(JSON.parse(readFileSync(join(folder, RECORD), 'utf8')).run).toBe('run-1');
  });

  test.each(['', 'fit07', '00:03:1d:0e:03', '../../etc/passwd', '00:03:1d:0e:03:53/..'])('refuses %j as a MAC', async (mac) => {
    await expect(links().place(mac, 'fit07')).rejects.toThrow(UserError);
  });

  test('says that the folder is missing, as the person has to set it', async () => {
    const missing = createLinks({ configDir: join(folder, 'none'), target: 'pxefrisbee', host: systemHost });
    for (const attempt of [() => missing.place(MAC, 'fit07'), () => missing.sweep()]) {
      await expect(attempt()).rejects.toMatchObject({
        name: 'UserError',
        kind: 'environment',
        message: expect.stringContaining(join(folder, 'none')),
      });
    }
  });
});

describe('claim', () => {
  test('makes a node ours without a link, until it is released', async () => {
    const ours = links('run-1');
    await ours.claim(MAC, 'fit07');
    await ours.claim(MAC, 'fit07');
    expect(readdirSync(folder)).toEqual([RECORD]);
    await expect(links('run-2').claim(MAC, 'fit07')).rejects.toMatchObject({
      code: 'node-busy',
      hint: expect.stringContaining('--wait-lock'),
    });
    expect(await links('run-2').holder(MAC)).toMatchObject({
      run: 'run-1',
      login: OWNER,
      pid: process.pid,
      host: systemHost.shortHostname(),
    });
    expect(await ours.holder(MAC)).toBeNull();
    await ours.place(MAC, 'fit07');
    await ours.release(MAC);
    expect(readdirSync(folder)).toEqual([]);
    expect(await links('run-2').holder(MAC)).toBeNull();
  });

  test('keeps a node that was claimed when its link cannot be placed', async () => {
    const ours = links('run-1');
    await ours.claim(MAC, 'fit07');
    writeFileSync(join(folder, LINK), 'DEFAULT local');
    await expect(ours.place(MAC, 'fit07')).rejects.toMatchObject({ code: 'pxe-occupied' });
    expect(readdirSync(folder).sort()).toEqual([RECORD, LINK].sort());
  });

  test('believes a run on another machine as long as it shows itself', async () => {
    const path = join(folder, RECORD);
    const otherBoot = { pid: 1, startTime: '1', bootId: 'of another machine' };
    writeFileSync(path, deadRecord({ host: 'othergateway', process: otherBoot }));
    await expect(links().claim(MAC, 'fit07')).rejects.toMatchObject({
      code: 'node-busy',
      message: expect.stringContaining('on othergateway'),
    });
    expect(await links().sweep()).toEqual([]);
    silent(RECORD, 301);
    await links().claim(MAC, 'fit07');
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ run: 'run-1', host: systemHost.shortHostname() });
  });

  test('shows itself', async () => {
    const ours = links();
    await ours.claim(MAC, 'fit07');
    const path = join(folder, RECORD);
    const before = readFileSync(path, 'utf8');
    silent(RECORD, 600);
    await ours.beat();
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(60_000);
    await ours.release(MAC);
    await ours.beat();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a node that another run took over meanwhile', () => {
  /** Another run's record in the place of ours, as when we were stopped for long. */
  async function stolen(): Promise<NextBootLinks> {
    const ours = links('run-1');
    await ours.place(MAC, 'fit07');
    rmSync(join(folder, RECORD));
    await links('run-2').place(MAC, 'fit07');
    return ours;
  }

  test('is seen before the next step, and neither its link nor its record is touched', async () => {
    const ours = await stolen();
    const before = readFileSync(join(folder, RECORD), 'utf8');
    await expect(ours.check(MAC, 'fit07')).rejects.toMatchObject({
      code: 'lock-lost',
      message: expect.stringContaining('in the hands of run run-2'),
    });
    await expect(ours.place(MAC, 'fit07')).rejects.toMatchObject({ code: 'lock-lost' });
    await ours.unlink(MAC);
    await ours.release(MAC);
    expect(readFileSync(join(folder, RECORD), 'utf8')).toBe(before);
    expect(readlinkSync(join(folder, LINK))).toBe('pxefrisbee');
  });

  test('is not claimed again when that run is done, and is after it was given up', async () => {
    const ours = links('run-1');
    await ours.claim(MAC, 'fit07');
    rmSync(join(folder, RECORD));
    await expect(ours.place(MAC, 'fit07')).rejects.toMatchObject({ code: 'lock-lost', message: expect.stringContaining('is gone') });
    await expect(ours.claim(MAC, 'fit07')).rejects.toMatchObject({ code: 'lock-lost' });
    expect(readdirSync(folder)).toEqual([]);
    await ours.release(MAC);
    await ours.claim(MAC, 'fit07');
  });

  test('is told by the signal of the claim at the next sign of life, which is not given on the other record', async () => {
    const ours = links('run-1');
    const lost = await ours.claim(MAC, 'fit07');
    await ours.beat();
    expect(lost.aborted).toBe(false);
    rmSync(join(folder, RECORD));
    await links('run-2').claim(MAC, 'fit07');
    silent(RECORD, 200);
    const before = statSync(join(folder, RECORD)).mtimeMs;
    await ours.beat();
    expect(lost.reason).toMatchObject({ code: 'lock-lost' });
    expect(statSync(join(folder, RECORD)).mtimeMs).toBe(before);
  });

  test('is not ours by a record that only says so', async () => {
    const ours = links('run-1');
    await ours.claim(MAC, 'fit07');
    const record = JSON.parse(readFileSync(join(folder, RECORD), 'utf8')) as object;
    writeFileSync(join(folder, RECORD), JSON.stringify({ ...record, nonce: 'another' }));
    await expect(ours.check(MAC, 'fit07')).rejects.toMatchObject({ code: 'lock-lost' });
  });
});

describe('a record', () => {
  test('shows the owner of its file as the holder, whatever it says', async () => {
    writeFileSync(join(folder, RECORD), deadRecord({ process: processIdentity(process.pid), login: 'somebody-else' }));
    expect(await links().holder(MAC)).toMatchObject({ login: OWNER });
    await expect(links().claim(MAC, 'fit07')).rejects.toMatchObject({ message: expect.not.stringContaining('somebody-else') });
  });

  test('that is a link is not followed, and replaced', async () => {
    const target = join(folder, 'elsewhere');
    writeFileSync(target, deadRecord({ process: processIdentity(process.pid) }));
    symlinkSync(target, join(folder, RECORD));
    const before = readFileSync(target, 'utf8');
    await links().claim(MAC, 'fit07');
    expect(lstatSync(join(folder, RECORD)).isFile()).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe(before);
  });
});

describe('release', () => {
  test('removes link and record, and may be called again', async () => {
    const run = links();
    await run.place(MAC, 'fit07');
    await run.release(MAC);
    expect(readdirSync(folder)).toEqual([]);
    await run.release(MAC);
  });

  test("leaves another run's link alone", async () => {
    await links('run-1').place(MAC, 'fit07');
    await links('run-2').release(MAC);
    expect(existsSync(join(folder, RECORD))).toBe(true);
    expect(readlinkSync(join(folder, LINK))).toBe('pxefrisbee');
  });

  test('leaves a link that another program has put there since, and removes the record', async () => {
    const run = links();
    await run.place(MAC, 'fit07');
    rmSync(join(folder, LINK));
    symlinkSync('memtest', join(folder, LINK));
    await run.release(MAC);
    expect(readdirSync(folder)).toEqual([LINK]);
  });

  test('leaves links without a record', async () => {
    symlinkSync('pxefrisbee', join(folder, LINK));
    await links().release(MAC);
    expect(readdirSync(folder)).toEqual([LINK]);
  });
});

describe('sweep', () => {
  test.skipIf(process.getuid?.() !== 0)(
    'keeps a link of root’s beside which somebody else has put a record (needs root to make one)',
    async () => {
      for (const contents of [deadRecord({ target: 'localboot' }), 'garbage']) {
        rmSync(join(folder, LINK), { force: true });
        symlinkSync('localboot', join(folder, LINK));
        writeFileSync(join(folder, RECORD), contents);
        chownSync(join(folder, RECORD), 54_321, 54_321);
        await links().sweep();
        expect(readdirSync(folder)).toEqual([LINK]);
      }
    },
  );

  test('removes what dead runs left, and says whose it was', async () => {
    writeFileSync(join(folder, RECORD), deadRecord());
    symlinkSync('pxefrisbee', join(folder, LINK));
    expect(await links().sweep()).toEqual([`next-boot link ${LINK} of fit07 (${OWNER}, pid ${process.pid})`]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('leaves live, foreign and other files alone', async () => {
    await links().place(MAC, 'fit07');
    symlinkSync('pxefrisbee', join(folder, '01-aa-aa-aa-aa-aa-aa'));
    writeFileSync(join(folder, 'default'), '');
    writeFileSync(join(folder, '.imaging-notes.json'), '');
    const before = readdirSync(folder);
    expect(await links('other').sweep()).toEqual([]);
    expect(readdirSync(folder)).toEqual(before);
  });

  test('leaves the link when it no longer is what the dead run placed', async () => {
    writeFileSync(join(folder, RECORD), deadRecord());
    symlinkSync('memtest', join(folder, LINK));
    expect(await links().sweep()).toEqual([`record of the next-boot link ${LINK} of fit07 (${OWNER}, pid ${process.pid})`]);
    expect(readdirSync(folder)).toEqual([LINK]);
  });

  test('removes a garbled record with its link', async () => {
    writeFileSync(join(folder, RECORD), '{');
    symlinkSync('pxefrisbee', join(folder, LINK));
    expect(await links().sweep()).toEqual([`next-boot link ${LINK} (garbled record)`]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('removes unfinished files and claims of dead runs, not of live ones', async () => {
    const live = processIdentity(process.pid);
    const tmp = (startTime: string): string => `.imaging-tmp.${process.pid}.${startTime}.${live?.bootId}.abc123`;
    writeFileSync(join(folder, tmp('1')), '');
    writeFileSync(join(folder, tmp(live?.startTime ?? '')), '');
    writeFileSync(join(folder, `.imaging-claim-${'0'.repeat(32)}`), deadRecord());
    writeFileSync(join(folder, `.imaging-claim-${'1'.repeat(32)}`), deadRecord({ process: live }));
    expect(await links().sweep()).toEqual([`unfinished file ${tmp('1')}`]);
    expect(readdirSync(folder).sort()).toEqual([tmp(live?.startTime ?? ''), `.imaging-claim-${'1'.repeat(32)}`].sort());
  });

  test('goes on past what it may not remove', async () => {
    mkdirSync(join(folder, '.imaging-01-00-00-00-00-00-01.json'));
    writeFileSync(join(folder, RECORD), deadRecord());
    expect(await links().sweep()).toHaveLength(1);
  });

  test('finishes what a claimant began that died, through any number of dead claims', async () => {
    const { createHash } = await import('node:crypto');
    const token = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);
    let contents = deadRecord();
    writeFileSync(join(folder, RECORD), contents);
    symlinkSync('pxefrisbee', join(folder, LINK));
    for (let i = 0; i < 5; i++) {
      const claim = deadRecord({ nonce: `claim-${i}` });
      writeFileSync(join(folder, `.imaging-claim-${token(contents)}`), claim);
      contents = claim;
    }
    expect(await links().sweep()).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('check', () => {
  test('warns when the links would lead nowhere', async () => {
    expect(await checkTarget(folder, 'pxefrisbee')).toBe(
      `${folder}/pxefrisbee does not exist: nodes told to boot it will boot something else`,
    );
    writeFileSync(join(folder, 'pxefrisbee'), '');
    expect(await checkTarget(folder, 'pxefrisbee')).toBeNull();
  });
});

/** Real processes that fight for one node. */
describe('several processes at once', () => {
  let program: string;
  let programs: string;
  beforeAll(async () => {
    programs = mkdtempSync(join(tmpdir(), 'imaging-pxe-race-'));
    chmodSync(programs, 0o755); // one of them runs as nobody
    program = join(programs, 'racer.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'racer.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
      logLevel: 'error',
    });
  });
  afterAll(() => rmSync(programs, { recursive: true, force: true }));

  type Racer = { child: ChildProcess; say(line: string): void; hear(): Promise<string>; end(): Promise<void> };

  function racer(user: { uid?: number } = {}): Racer {
    const child = spawn(process.execPath, [program, folder, MAC], { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/', ...user });
    const exited = once(child, 'exit');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
      child,
      say: (line) => void child.stdin.write(`${line}\n`),
      hear: async () => String((await lines.next()).value),
      end: async () => {
        child.kill('SIGKILL');
        await exited;
      },
    };
  }

  test('exactly one wins a free node, then a node whose holder was killed, again and again', async () => {
    const racers = Array.from({ length: 5 }, () => racer());
    await Promise.all(racers.map((one) => one.hear())); // 'ready'
    for (let round = 0; racers.length > 1; round++) {
      for (const one of racers) one.say('place');
      const answers = await Promise.all(racers.map((one) => one.hear()));
      expect(
        answers.filter((answer) => answer === 'placed'),
        `round ${round}: ${answers.join(' ')}`,
      ).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'node-busy')).toHaveLength(racers.length - 1);
      const winner = racers.splice(answers.indexOf('placed'), 1)[0];
      await winner?.end(); // kill -9: its link and record stay
      expect(lstatSync(join(folder, LINK)).isSymbolicLink()).toBe(true);
    }
    await Promise.all(racers.map((one) => one.end()));
    expect(await links().sweep()).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([]);
  }, 60_000);

  test('says that it may not write, and sweeps nothing', async () => {
    writeFileSync(join(folder, RECORD), deadRecord());
    chmodSync(folder, 0o555);
    const nobody = racer(process.getuid?.() === 0 ? { uid: 65_534 } : {});
    await nobody.hear();
    nobody.say('place');
    expect(await nobody.hear()).toBe('pxe-permission');
    nobody.say('sweep');
    expect(await nobody.hear()).toBe('swept 0');
    await nobody.end();
    chmodSync(folder, 0o755);
  });

  test('never two at once, while each places, sweeps and removes as fast as it can, and some are killed', async () => {
    const fighters: Racer[] = [];
    const fate: Promise<string>[] = [];
    const enter = async (times: number): Promise<void> => {
      const one = racer();
      await one.hear();
      one.say(`fight ${times}`);
      fighters.push(one);
    };
    for (let i = 0; i < 3; i++) await enter(1_000_000);
    for (let round = 0; round < 9; round++) {
      const victim = fighters.shift();
      await victim?.end(); // at any point of what it does
      fate.push(victim?.hear() ?? Promise.resolve(''));
      await enter(round < 6 ? 1_000_000 : 30);
    }
    const answers = await Promise.all([...fate, ...fighters.map((one) => one.hear())]);
    expect(
      answers.slice(0, 9).every((answer) => answer === 'undefined'),
      answers.join('\n'),
    ).toBe(true); // killed before any violation
    expect(answers.slice(9)).toEqual(['done', 'done', 'done']);
    await Promise.all(fighters.map((one) => one.end()));
    await links().sweep();
    expect(readdirSync(folder)).toEqual([]);
  }, 60_000);
});
