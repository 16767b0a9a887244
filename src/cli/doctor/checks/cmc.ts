import { foldNames } from '../../../nodes/names.js';
import { createPowerClient } from '../../../power/client.js';
import { fanOut } from '../../../engine/fan-out.js';
import type { Outcome } from '../../../events/outcome.js';
import { counted, ok, problem, warning, type Check, type Finding } from '../finding.js';

/** Cards asked at once: they are many, and this process is one. */
const AT_ONCE = 100;

/** Asks every card for its status. */
export const cmc = {
  name: 'cmc',
  needs: 'inventory',
  run: async ({ config, nodes, host }, signal) => {
    const { cmcPort } = config.networking;
    const timeoutMs = config.nodes.statusTimeoutMs;
    const power = createPowerClient({ port: cmcPort, requestTimeoutMs: timeoutMs });
    try {
      const outcomes = await fanOut(
        nodes,
        { concurrency: AT_ONCE, targetDeadlineMs: 3 * timeoutMs, firstStep: 'cmc', signal, host, emit: () => {} },
        (node) => power.send(node.target.cmc, 'status', { signal: node.signal }),
      );
      signal.throwIfAborted();
      return cardFindings(outcomes, cmcPort, timeoutMs);
    } finally {
      await power.close();
    }
  },
} satisfies Check;

function cardFindings(outcomes: readonly Outcome<unknown>[], port: number, timeoutMs: number): Finding[] {
  const byCode = new Map<string, string[]>();
  for (const outcome of outcomes)
    if (!outcome.ok) byCode.set(outcome.failure.code, [...(byCode.get(outcome.failure.code) ?? []), outcome.target]);
  const answering = outcomes.filter((each) => each.ok);
  const slowestMs = Math.max(0, ...answering.map(({ elapsedMs }) => elapsedMs));
  if (byCode.size === 0) return [ok(`${counted(outcomes.length, 'card')}, all answer; the slowest within ${slowestMs} ms`)];
  return [...byCode].map(([code, names]) => {
    const example = outcomes.flatMap((each) => (each.ok || each.failure.code !== code ? [] : [each.failure.message]))[0] ?? '';
    const whose = `${names.length} of ${counted(outcomes.length, 'card')} (node${names.length === 1 ? '' : 's'} ${foldNames(names)})`;
    return cardFinding(code, whose, example, port, timeoutMs);
  });
}

function cardFinding(code: string, whose: string, example: string, port: number, timeoutMs: number): Finding {
  const first = `one says: ${example}`;
  switch (code) {
    case 'cmc-refused':
      return problem(
        `${whose} refused: something is at that address, and no web server on port ${port}`,
        first,
        'is cmc.ip in the inventory the address of a card, and networking.cmc_port right?',
        'a card that was just plugged in takes some seconds',
      );
    case 'cmc-timeout':
      return problem(
        `${whose} silent: no answer within ${timeoutMs / 1000} s`,
        first,
        'unplug such a node for five minutes: that brings a hung card back',
        'when all are silent: is this machine on their network? ip route get, and their switch',
      );
    case 'cmc-unreachable':
      return problem(
        `${whose} unreachable: no way there`,
        first,
        "ip route get shows this machine's way; is the interface of the cards' network up, the card plugged in?",
      );
    case 'cmc-busy':
      return warning(`${whose} busy`, first, 'wait a minute; if it stays so, unplug the node for five minutes');
    case 'bug':
      throw new Error(example);
    default:
      return problem(`${whose} answered wrong [${code}]`, first, 'unplug such a node for five minutes; is it a CMC card at all?');
  }
}
