import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Finished, Running } from './cli.js';
import type { ChildTestbed } from './testbed.js';

/** How a round went: a load was killed, and resumed until nothing was left. */
export type Round = {
  /** Null when the load was killed before it had planned anything. */
  run: string | null;
  /** It had ended by itself before it could be killed. */
  hadEnded: boolean;
  /** Nodes that were done when it was killed. */
  doneBefore: number;
  resumesMs: number[];
};

/** What a round found wrong. */
export class RoundFailed extends Error {}

const NODES = ['fit01', 'fit02', 'fit03', 'fit04'];
const BLOCK = 4096;

/** Makes every block of the nodes' disks wrong that the image has something in: only a whole load makes them right again. */
export function spoilDisks(testbed: Pick<ChildTestbed, 'dir'>): void {
  const image = readFileSync(join(testbed.dir, 'images/demo.img'));
  for (const node of NODES) {
    const fd = openSync(join(testbed.dir, 'nodes', node, 'disk.img'), 'r+');
    for (let at = 0; at < image.length; at += BLOCK) if (image[at + 7] !== 0) writeSync(fd, Buffer.alloc(16, 0xa5), 0, 16, at);
    closeSync(fd);
  }
}

/** The nodes whose disk is not the image, byte by byte. */
export function wrongDisks(testbed: Pick<ChildTestbed, 'dir'>): string[] {
  const image = readFileSync(join(testbed.dir, 'images/demo.img'));
  return NODES.filter((node) => !image.equals(readFileSync(join(testbed.dir, 'nodes', node, 'disk.img'))));
}

/** A write of the journal is whole, even when its process is killed. */
function halfLines(testbed: ChildTestbed, run: string): string[] {
  const path = join(testbed.dir, 'state/runs', run, 'events.jsonl');
  const text = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  return text.length === 0 || text.at(-1) === 10 ? [] : [`half a line in ${path}`];
}

/**
 * One round: the disks are spoiled, a load of four nodes is killed with SIGKILL when `moment` says so, then resumed
 * until its nodes are done; `again` may kill the first resume in its turn. Throws a `RoundFailed` unless every disk is the
 * image, no link is left and the last resume says that all is well.
 */
export async function killAndResume(
  testbed: ChildTestbed,
  env: Record<string, string>,
  moment: (load: Running) => Promise<unknown>,
  again: ((resume: Running) => Promise<unknown>) | null = null,
): Promise<Round> {
  spoilDisks(testbed);
  const before = new Set(runsOf(testbed));
  const killed = await kill(testbed.start('imaging-load', ['-i', 'demo', '1-4', '--progress', 'json'], env), moment);
  const run = runsOf(testbed).find((name) => !before.has(name)) ?? null;
  const doneBefore = killed.events.filter((event) => event.type === 'target.done').length;
  if (run === null || !existsSync(join(testbed.dir, 'state/runs', run, 'plan.json'))) return nothingPlanned(testbed);
  const resumesMs: number[] = [];
  let last: Finished | null = null;
  for (let resumes = 0; resumes < 4 && last?.code !== 0; resumes += 1) {
    const startedMs = performance.now();
    const resume = testbed.start('imaging-runs', ['resume', run, '--progress', 'json'], env);
    last = resumes === 0 && again ? await kill(resume, again) : await resume.finished;
    resumesMs.push(performance.now() - startedMs);
  }
  const wrong = wrongDisks(testbed);
  const left = [...testbed.links(), ...halfLines(testbed, run)];
  if (wrong.length > 0 || left.length > 0 || last?.code !== 0)
    throw new RoundFailed(
      `run ${run}: exit code ${last?.code}, wrong disks: ${wrong.join(' ')}; left: ${left.join(' ')}\n${last?.stdout.slice(-1500)}\n${last?.stderr.slice(-1500)}`,
    );
  return { run, hadEnded: killed.signal === null, doneBefore, resumesMs };
}

async function kill(running: Running, moment: (running: Running) => Promise<unknown>): Promise<Finished> {
  await Promise.race([moment(running), running.finished]);
  running.child.kill('SIGKILL');
  return running.finished;
}

function nothingPlanned(testbed: ChildTestbed): Round {
  if (testbed.links().length > 0) throw new RoundFailed(`no plan, but links: ${testbed.links().join(' ')}`);
  return { run: null, hadEnded: false, doneBefore: 0, resumesMs: [] };
}

function runsOf(testbed: ChildTestbed): string[] {
  return readdirSync(join(testbed.dir, 'state')).includes('runs') ? readdirSync(join(testbed.dir, 'state/runs')) : [];
}
