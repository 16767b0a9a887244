import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyEvent, emptyState } from '../../src/events/reducer.js';
import type { EventBody, ImagingEvent } from '../../src/events/types.js';
import { type RunPlan, writePlan } from '../../src/runs/plan-file.js';
import { resultOf, writeResult } from '../../src/runs/result-file.js';
import { loadWork } from '../../src/workflows/node-steps.js';
import { processIdentity, type ProcessIdentity } from '../../src/util/host.js';

/** Nobody's identity any more. */
export const DEAD: ProcessIdentity = { pid: 1, startTime: 'long gone', bootId: 'another boot' };

export function aPlan(run: string, more: Partial<RunPlan> = {}): RunPlan {
  return {
    schema: 2,
    run,
    command: run.split('-')[2] ?? 'load',
    argv: ['1-3'],
    cwd: '/',
    env: {},
    kind: 'node',
    targets: ['fit01', 'fit02', 'fit03'],
    details: {},
    inputs: [],
    login: 'me',
    host: 'here',
    process: DEAD,
    version: '0',
    startedAt: 1_000,
    continues: null,
    detached: false,
    ...more,
  };
}

export const alive = (): ProcessIdentity | null => processIdentity(process.pid);

/** What a run of three nodes emits when the first is fine, the second fails and the third is skipped; `end` with its last event. */
export function someEvents(run: string, end: boolean): ImagingEvent[] {
  const bodies: EventBody[] = [
    { type: 'run.started', schema: 2, command: 'load', ...loadWork(true), targets: ['fit01', 'fit02', 'fit03'], details: { image: 'x' } },
    { type: 'target.step', target: 'fit01', step: 'boot', attempt: 1 },
    { type: 'target.step', target: 'fit02', step: 'boot', attempt: 1 },
    { type: 'target.step', target: 'fit01', step: 'write', attempt: 1 },
    { type: 'target.progress', target: 'fit01', doneBytes: 50, totalBytes: 50 },
    { type: 'target.done', target: 'fit01', elapsedMs: 30, result: { type: 'words', words: 'fine' } },
    {
      type: 'target.failed',
      target: 'fit02',
      step: 'boot',
      code: 'boot-deadline',
      message: 'nothing\ncame',
      hint: 'look',
      blame: 'node',
      elapsedMs: 40,
    },
  ];
  const last: EventBody[] = [
    { type: 'target.skipped', target: 'fit03', reason: 'no turn' },
    { type: 'run.finished', ok: ['fit01'], failed: ['fit02'], skipped: ['fit03'], exitCode: 1, elapsedMs: 60 },
  ];
  return [...bodies, ...(end ? last : [])].map((body, seq) => ({ at: 1_000 + 10 * seq, run, seq, ...body }));
}

/** A run's folder as the program leaves it: `end` 'finished' with its result, 'cut' in the middle of its events. */
export function storeRun(dir: string, run: string, end: 'finished' | 'cut', more: Partial<RunPlan> = {}, exitCode = 1): string {
  const path = join(dir, 'runs', run);
  mkdirSync(path, { recursive: true, mode: 0o755 }); // whatever the umask: a folder that others may write is not believed
  writePlan(path, aPlan(run, more));
  const events = someEvents(run, end === 'finished');
  writeFileSync(join(path, 'events.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  if (end === 'cut') appendFileSync(join(path, 'events.jsonl'), '{"at":1,"run":"x","seq":9,"type":"node.done","node":"fit0');
  const result = resultOf(events.reduce(applyEvent, emptyState()));
  if (result) writeResult(path, { ...result, exitCode });
  return path;
}
