/** What a CMC card understands: each is one GET of that path. */
export type PowerVerb = 'status' | 'on' | 'off' | 'reset' | 'info' | 'usrpstatus' | 'usrpon' | 'usrpoff';

export const POWER_VERBS: readonly PowerVerb[] = ['status', 'on', 'off', 'reset', 'info', 'usrpstatus', 'usrpon', 'usrpoff'];

export type PowerAnswer = {
  verb: PowerVerb;
  /** What the card said, blanks around it taken off. */
  text: string;
  /** Of the node for status, on and off; of the USRP for usrpstatus, usrpon and usrpoff; null for reset and info. */
  state: 'on' | 'off' | null;
  /** The card said there was nothing to do (`already on`). */
  already: boolean;
};

/** `busy`: try again later; `off`: a node that is off cannot be reset; `garbled`: nothing a card is known to say to this verb. */
export type ParsedAnswer = { type: 'answer'; answer: PowerAnswer } | { type: 'busy' } | { type: 'off' } | { type: 'garbled' };

/**
 * Understands a card's text. Known cards answer `on` / `off` to status, `usrpon` / `usrpoff` to usrpstatus, `ok` or
 * `already on` / `already off` to the verbs that act, several lines to info, and `CM card busy` to anything when stressed.
 */
export function parsePowerAnswer(verb: PowerVerb, body: string): ParsedAnswer {
  const text = body.trim();
  const word = text.toLowerCase();
  if (/^(cm )?card busy\b/.test(word)) return { type: 'busy' };
  const answer = (state: PowerAnswer['state'], already = false): ParsedAnswer => ({
    type: 'answer',
    answer: { verb, text, state, already },
  });
  switch (verb) {
    case 'status':
      return word === 'on' || word === 'off' ? answer(word) : { type: 'garbled' };
    case 'usrpstatus':
      if (word === 'usrpon' || word === 'on') return answer('on');
      return word === 'usrpoff' || word === 'off' ? answer('off') : { type: 'garbled' };
    case 'info':
      return text === '' ? { type: 'garbled' } : answer(null);
    case 'reset':
      if (word === 'already off') return { type: 'off' };
      return word === 'ok' ? answer(null) : { type: 'garbled' };
    case 'on':
    case 'usrpon':
      return acted(word, 'on', answer);
    case 'off':
    case 'usrpoff':
      return acted(word, 'off', answer);
  }
}

function acted(word: string, state: 'on' | 'off', answer: (state: 'on' | 'off', already?: boolean) => ParsedAnswer): ParsedAnswer {
  if (word === 'ok') return answer(state);
  return word === `already ${state}` || word === `already usrp${state}` ? answer(state, true) : { type: 'garbled' };
}
