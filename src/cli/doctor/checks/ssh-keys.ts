import { constants } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withDeadline } from '../../../util/abort.js';
import { type Failure, messageOf } from '../../../util/errors.js';
import { DEFAULT_KEY_FILES } from '../../../ssh/keys.js';
import { keyProblem } from '../../../ssh/key-problem.js';
import { counted, ok, problem, warning, type Check, type Finding } from '../finding.js';
import { ownership, statOrNull, whyNot } from '../files.js';
import { fail } from '../../failures.js';

const AGENT_TIMEOUT_MS = 3_000;
const FOR_WHAT = 'imaging-wait and imaging-load -u log in as root with the keys of the agent and those in ~/.ssh';

/** The keys that nodes are logged in with: the agent's, and the default files. */
export const sshKeys = {
  name: 'ssh-keys',
  needs: 'nothing',
  run: async ({ host }, signal) => {
    const agent = await askAgent(host.env.SSH_AUTH_SOCK, signal);
    const keys = (await Promise.all(DEFAULT_KEY_FILES.map((name) => lookAtKey(join(host.home(), '.ssh', name))))).filter(
      (key) => key !== null,
    );
    const usable = keys.filter(({ wrong }) => wrong === null).length;
    const hasAgentKeys = 'keys' in agent && agent.keys > 0;
    // a key that cannot be used matters less where another one can
    const make = usable > 0 || hasAgentKeys ? warning : problem;
    const findings: Finding[] = keys.flatMap(({ wrong, open }) => [
      ...(wrong ? [make(wrong.message, FOR_WHAT, wrong.fix)] : []),
      ...(open ? [open] : []),
    ]);
    if ('trouble' in agent)
      findings.push(warning(agent.trouble, null, 'start an agent (eval "$(ssh-agent)"; ssh-add), or unset SSH_AUTH_SOCK'));
    if (keys.length === 0 && !hasAgentKeys)
      findings.push(
        warning(
          'there is no key: neither in an agent nor in ~/.ssh',
          `${FOR_WHAT}; without one, only systems that let root in without authentication count as up`,
          "ssh-keygen -t ed25519, and put the public key into your images' /root/.ssh/authorized_keys",
        ),
      );
    if (findings.length > 0) return findings;
    const parts = [
      ...(hasAgentKeys ? [`${counted(agent.keys, 'key')} in the agent`] : []),
      ...(usable > 0 ? [counted(usable, 'key file')] : []),
    ];
    return [ok(parts.join(', '))];
  },
} satisfies Check;

type KeyFile = {
  /** Why it cannot be used. */ wrong: { message: string; fix: string } | null /** That others may read it. */;
  open: Finding | null;
};

/** Null when there is no such file. */
async function lookAtKey(path: string): Promise<KeyFile | null> {
  const info = await statOrNull(path);
  if (info === null) return null;
  if (!info.isFile()) return { wrong: { message: `${path} is no file`, fix: 'move it away' }, open: null };
  const why = await whyNot(path, constants.R_OK);
  if (why !== null)
    return { wrong: { message: `${path} is not readable (${why}; ${ownership(info)})`, fix: `chown and chmod 600 ${path}` }, open: null };
  const { default: ssh2 } = await import('ssh2');
  const text = keyProblem({ path, contents: await readFile(path, 'utf8') }, ssh2.utils.parseKey);
  const open =
    (info.mode & 0o077) === 0
      ? null
      : warning(`${path} can be read by others (${ownership(info)})`, 'ssh itself refuses such a key', `chmod 600 ${path}`);
  if (text === null) return { wrong: null, open };
  const colon = text.lastIndexOf(': ');
  return { wrong: { message: text.slice(0, colon), fix: text.slice(colon + 2) }, open };
}

async function askAgent(socket: string | undefined, signal: AbortSignal): Promise<{ keys: number } | { trouble: string }> {
  if (!socket) return { keys: 0 };
  const { default: ssh2 } = await import('ssh2');
  const late = (): Failure => fail('agent-late', `no answer within ${AGENT_TIMEOUT_MS / 1000} s`);
  try {
    return await withDeadline(
      signal,
      AGENT_TIMEOUT_MS,
      late,
      () =>
        new Promise<{ keys: number }>((resolve, reject) => {
          ssh2.createAgent(socket).getIdentities((error, keys) => (error ? reject(error) : resolve({ keys: keys?.length ?? 0 })));
        }),
    );
  } catch (error) {
    signal.throwIfAborted();
    return { trouble: `SSH_AUTH_SOCK names ${socket}, and no agent answers there: ${messageOf(error)}` };
  }
}
