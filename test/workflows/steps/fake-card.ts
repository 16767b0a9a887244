import type { PowerClient, PowerVerb } from '../../../src/power/client.js';

/** A power card without network: what it was asked, and when by the clock of the test. `answer` may reject or take for ever. */
export function fakeCard(answer: (verb: PowerVerb, asked: readonly PowerVerb[]) => Promise<'on' | 'off' | null>): {
  power: PowerClient;
  asked: PowerVerb[];
  askedAtMs: number[];
} {
  const asked: PowerVerb[] = [];
  const askedAtMs: number[] = [];
  const startMs = performance.now();
  const power: PowerClient = {
    send: async (_cmc, verb) => {
      asked.push(verb);
      askedAtMs.push(Math.round(performance.now() - startMs));
      return { verb, text: 'ok', state: await answer(verb, asked), already: false };
    },
    close: async () => {},
  };
  return { power, asked, askedAtMs };
}
