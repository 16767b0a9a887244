import { EVENT_SCHEMA } from '../events/types.js';
import type { StepFacts } from '../events/work.js';
import { isObject, isText, isTexts } from '../util/json.js';
import { oldBlame } from './old-blame.js';

/*
 * Runs that were kept while events, plans and results had schema 1, when all targets were nodes and were called so. Whoever
 * reads a run's files brings what it finds through here, so that nobody else knows the old forms. What is in today's form,
 * or in none, is returned as it is: whether it is good is asked afterwards.
 */

const OLD = 1;
/** That of plan.json and result.json which has targets. */
const NEXT = 2;

/** The steps that there were, over all commands; events of schema 1 did not tell of them. */
const STEPS: StepFacts[] = [
  { name: 'lock', early: true },
  { name: 'pxe', early: true },
  { name: 'reset', early: true },
  { name: 'boot', early: true },
  { name: 'write', moves: 'bytes', disk: 'in-write' },
  { name: 'read', moves: 'bytes' },
  { name: 'verify', moves: 'bytes', disk: 'judged' },
  { name: 'reboot', disk: 'written' },
];

/** An event of a journal in today's form. */
export function currentEvent(value: unknown): unknown {
  if (!isObject(value) || !isText(value.type)) return value;
  if (value.type.startsWith('node.')) return targetEvent(value, value.type.slice('node.'.length));
  if (value.type.startsWith('server.') && 'node' in value) return renamed(value, 'node', 'target');
  if (value.type !== 'run.started' || value.schema !== OLD) return value;
  return { ...renamed(value, 'nodes', 'targets'), schema: EVENT_SCHEMA, kind: 'node', steps: STEPS, leftBehind: [] };
}

function targetEvent(event: Record<string, unknown>, what: string): Record<string, unknown> {
  const told = { ...renamed(event, 'node', 'target'), type: `target.${what}` };
  if (what === 'failed') return { ...told, blame: oldBlame(String(event.code)) };
  if (what !== 'done') return told;
  const { detail, ...rest } = { detail: null, ...told } as Record<string, unknown>; // as: a field of any kind
  const words = isText(detail) ? withoutRemarks(detail, rest.remarks) : '';
  return { ...rest, result: words === '' ? null : { type: 'words', words } };
}

/** Remarks once stood among the words as well. */
function withoutRemarks(detail: string, remarks: unknown): string {
  const ending = isTexts(remarks) && remarks.length > 0 ? `; ${remarks.join('; ')}` : '';
  return ending !== '' && detail.endsWith(ending) ? detail.slice(0, -ending.length) : detail;
}

/** The content of a plan.json in today's form. */
export function currentPlan(value: unknown): unknown {
  if (!isObject(value) || value.schema !== OLD) return value;
  return { ...renamed(value, 'nodes', 'targets'), schema: NEXT, kind: 'node' };
}

/** The content of a result.json in today's form. */
export function currentResult(value: unknown): unknown {
  if (!isObject(value) || value.schema !== OLD) return value;
  const listed = (list: unknown): unknown =>
    Array.isArray(list) ? list.map((each) => (isObject(each) ? renamed(each, 'node', 'target') : each)) : list;
  const failed = listed(value.failed);
  return {
    ...value,
    schema: NEXT,
    failed: Array.isArray(failed)
      ? failed.map((each) => (isObject(each) ? { ...each, blame: oldBlame(String(each.code)) } : each))
      : failed,
    skipped: listed(value.skipped),
  };
}

/** The same with a field under another name, in its place. */
function renamed(value: Record<string, unknown>, from: string, to: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name === from ? to : name, field]));
}
