import { messageOf, Failure, UserError } from '../../util/errors.js';
import { withDeadline } from '../../util/abort.js';
import { problem, skipped, worst, type Check, type Finding, type Status } from './finding.js';
import type { Examination } from './examine.js';
import { fail } from '../failures.js';

/** What `imaging-doctor --json` prints. */
export type DoctorReport = { ok: boolean; checks: readonly CheckResult[] };

export type CheckResult = { name: string; status: Status; findings: readonly Finding[] };

/** How long one check may take; those that ask machines have shorter deadlines of their own. */
const CHECK_DEADLINE_MS = 30_000;

/**
 * Runs all checks at once. `onResult` gets the results in the order of the checks, each as soon as it and those before
 * it are known. Rejects only with the signal's reason, or with a defect of imaging.
 */
export async function runChecks(
  checks: readonly Check[],
  examination: Examination,
  signal: AbortSignal,
  onResult: (result: CheckResult) => void,
  deadlineMs = CHECK_DEADLINE_MS,
): Promise<CheckResult[]> {
  const results = examination.results.map((each) => ({ ...each, status: worst(each.findings) }));
  for (const result of results) onResult(result);
  const running = checks.map((check) => runOne(check, examination, signal, deadlineMs));
  const settled = Promise.allSettled(running); // one that rejects while another is awaited is not unhandled
  for (const each of running) {
    const result = await each;
    results.push(result);
    onResult(result);
  }
  await settled;
  return results;
}

async function runOne(check: Check, examination: Examination, signal: AbortSignal, deadlineMs: number): Promise<CheckResult> {
  const findings = await findingsOf(check, examination, signal, deadlineMs);
  return { name: check.name, status: worst(findings), findings };
}

async function findingsOf(
  check: Check,
  { gateway, configured, site }: Examination,
  signal: AbortSignal,
  deadlineMs: number,
): Promise<Finding[]> {
  const late = (): Failure =>
    fail(
      'check-late',
      `still not known after ${deadlineMs / 1000} s`,
      'a file system or server that hangs? run it again with strace, or look at dmesg',
    );
  try {
    return await withDeadline(signal, deadlineMs, late, async (inner) => {
      if (check.needs === 'nothing') return check.run(gateway, inner);
      if (configured === null) return [skipped('needs a configuration that can be read')];
      if (check.needs === 'configuration') return check.run(configured, inner);
      return site === null ? [skipped('needs an inventory that can be read')] : check.run(site, inner);
    });
  } catch (error) {
    if (signal.aborted || !(error instanceof Failure || error instanceof UserError)) throw error;
    return [problem(messageOf(error), null, ...(error.hint === undefined ? [] : [error.hint]))];
  }
}
