import { foldNames } from '../../../nodes/names.js';
import { defaultAuth } from '../../../ssh/keys.js';
import { sshExec } from '../../../ssh/login.js';
import { Failure } from '../../../util/errors.js';
import { fanOut } from '../../../engine/fan-out.js';
import { counted, ok, problem, skipped, type Check, type Finding } from '../finding.js';
import { fail as sshFail } from '../../../ssh/failures.js';

const AT_ONCE = 20;
const TIMEOUT_MS = 10_000;

/** Logs in to the nodes that were named and are up, as a load with -u does. */
export const sshLogin = {
  name: 'ssh-login',
  needs: 'inventory',
  run: async ({ config, named, host }, signal) => {
    if (named.length === 0) return [skipped('tried on nodes that you name: imaging-doctor 7')];
    const port = config.networking.sshPort;
    const auth = await defaultAuth(host.home(), host.env);
    const outcomes = await fanOut(
      named,
      { concurrency: AT_ONCE, targetDeadlineMs: 3 * TIMEOUT_MS, firstStep: 'ssh', signal, host, emit: () => {} },
      async (node) => {
        let isUp = false;
        const at = { host: node.target.control.ip, port, timeoutMs: TIMEOUT_MS, signal: node.signal, onGreeting: () => void (isUp = true) };
        await sshExec({ ...at, username: 'root', auth }, 'true').catch((error: unknown) => {
          if (isUp || !(error instanceof Failure) || sshFail.is(error, 'ssh-shut-out')) throw error;
        });
        return isUp;
      },
    );
    signal.throwIfAborted();
    const down = outcomes.flatMap((each) => (each.ok && !each.value ? [each.target] : []));
    const inside = outcomes.filter((each) => each.ok && each.value).length;
    const failures = outcomes.flatMap((each) => (each.ok ? [] : [each.failure]));
    const findings: Finding[] = failures.map(({ target, message, hint, code }) => {
      if (code === 'bug') throw new Error(message);
      return problem(
        `${target}: ${message}`,
        'imaging-wait and imaging-load -u would wait until their deadline',
        ...(hint === null ? [] : [hint]),
      );
    });
    if (inside > 0) findings.push(ok(`root is let in on ${counted(inside, 'node')}`));
    if (down.length > 0) findings.push(skipped(`no ssh server answers on ${foldNames(down)}: off, in the PXE system, or without sshd`));
    return findings;
  },
} satisfies Check;
