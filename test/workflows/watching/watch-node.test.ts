import pLimit from 'p-limit';
import { describe, expect, test } from 'vitest';
import { unseen, type NodeFacts, type NodeView } from '../../../src/events/node-view.js';
import type { PowerVerb } from '../../../src/power/client.js';
import { fail as powerFail } from '../../../src/power/failures.js';
import { NodeWatch, type LookOptions } from '../../../src/workflows/watching/watch-node.js';
import { oneNode } from '../../helpers/nodes.js';

type Said = 'on' | 'off' | null | 'silent' | 'busy' | 'own-trouble';

/** A node whose card says one thing after the other (the last for ever), and where nothing but ping answers, or not that. */
function watched({
  card = ['on'],
  usrp = 'off',
  ping = [false],
  holder = null,
}: {
  card?: Said[];
  usrp?: Said;
  ping?: boolean[];
  holder?: unknown;
}) {
  const state: NodeView = unseen(0);
  const told: Partial<NodeFacts>[] = [];
  const asked: PowerVerb[] = [];
  const next = <T>(list: T[]): T | undefined => (list.length > 1 ? list.shift() : list[0]);
  const say = (verb: PowerVerb, said: Said) => {
    if (said === 'silent') throw powerFail('cmc-timeout', 'no answer');
    if (said === 'busy') throw powerFail('cmc-busy', 'busy');
    if (said === 'own-trouble')
      throw powerFail('cmc-unreachable', 'no file left', undefined, { cause: Object.assign(new Error('x'), { code: 'EMFILE' }) });
    return { verb, text: '', state: said, already: false };
  };
  const options: LookOptions = {
    power: {
      send: async (_, verb) => (asked.push(verb), say(verb, verb === 'status' ? (next(card) ?? null) : usrp)),
      close: async () => {},
    },
    pinger: { answers: async () => next(ping) ?? false, close: () => {} },
    holder: async () => holder as null, // as: the test's own
    ssh: { port: 1, username: 'root', auth: { privateKeys: [] } },
    cmcTimeoutMs: 1_000,
    loginMs: 1_000,
    host: { now: () => 5, monotonicMs: () => 5 },
    signal: new AbortController().signal,
    limits: { cards: pLimit(1), probes: pLimit(1), logins: pLimit(1) },
  };
  const tell = (facts: Partial<NodeFacts>): void => {
    told.push(facts);
    Object.assign(state, facts);
  };
  return { watch: new NodeWatch(oneNode(7), options, () => state, tell), state, told, asked };
}

async function looks(count: number, watch: NodeWatch): Promise<void> {
  for (let look = 0; look < count; look += 1) await watch.lookAtCard();
}

describe('a card', () => {
  test('that is silent twice in a row is; once may be a lost packet', async () => {
    const { watch, state, told } = watched({ card: ['on', 'silent', 'on', 'silent', 'silent'] });
    await looks(4, watch);
    expect(state).toMatchObject({ cmc: 'on', usrp: 'off' });
    await looks(1, watch);
    expect(told.at(-1)).toEqual({ cmc: 'silent', usrp: null });
  });

  test('that says nothing at the first look is silent at once', async () => {
    const { watch, state } = watched({ card: ['silent'] });
    await looks(1, watch);
    expect(state.cmc).toBe('silent');
  });

  test.each<Said>(['busy', 'own-trouble'])('%s says nothing about the node, however often', async (said) => {
    const { watch, state } = watched({ card: ['off', said] });
    await looks(6, watch);
    expect(state.cmc).toBe('off');
  });

  test('is asked for its USRP at the first look, every fifth, and when its power has changed', async () => {
    const { watch, asked } = watched({ card: ['on', 'on', 'on', 'on', 'on', 'on', 'off', 'off'] });
    await looks(8, watch);
    expect(
      asked.flatMap((verb, index) => (verb === 'usrpstatus' ? [asked.slice(0, index).filter((each) => each === 'status').length] : [])),
    ).toEqual([1, 6, 7]);
  });

  test('whose USRP cannot be understood is on all the same', async () => {
    const { watch, state } = watched({ usrp: null });
    await looks(1, watch);
    expect(state).toMatchObject({ cmc: 'on', usrp: null });
  });
});

describe('a system', () => {
  test('where no sshd listens: ping tells whether any answers, and one silence is none', async () => {
    const { watch, state } = watched({ ping: [true, false, true, false, false] });
    for (const expected of [true, true, true, true, false]) {
      await watch.lookAtSystem();
      expect(state).toMatchObject({ ssh: 'no', ping: expected, bootId: null });
    }
  });

  test('in the hands of a run has a holder, without what else its record says', async () => {
    const holder = { run: 'R', login: 'ann', host: 'h', pid: 7, at: 3 };
    const { watch, state } = watched({ holder: { ...holder, process: 'x' } });
    await watch.lookAtSystem();
    expect(state.holder).toEqual(holder);
  });
});
