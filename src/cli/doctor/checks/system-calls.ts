import { capabilities } from '../../../native/capabilities.js';
import type { Capability } from '../../../native/capability.js';
import { CAPABILITIES, OFF_VARIABLE, unknownWords } from '../../../native/switches.js';
import { nearest } from '../../../util/nearest.js';
import { ok, warning, type Check, type Finding } from '../finding.js';

/** What system calls are used for here, and what is done instead where they are off: a load works all the same. */
export const systemCalls = { name: 'system-calls', needs: 'nothing', run: () => systemCallFindings(capabilities) } satisfies Check;

export async function systemCallFindings(all: readonly Capability<unknown>[]): Promise<Finding[]> {
  const words = unknownWords().map(unknownWord);
  const off: string[] = [];
  const on: string[] = [];
  for (const { name, without, whyOff } of all) {
    const why = await whyOff();
    if (why === null) on.push(name);
    else off.push(`${name} (${why}: ${without})`);
  }
  return [...words, ok([`on: ${on.join(', ') || 'none'}`, ...(off.length > 0 ? [`off: ${off.join('; ')}`] : [])].join('; '))];
}

function unknownWord(word: string): Finding {
  const meant = nearest(word, [...CAPABILITIES, 'all']);
  return warning(
    `${OFF_VARIABLE} switches off ${JSON.stringify(word)}, which nothing is called${meant === null ? '' : `: did you mean ${meant}?`}`,
    'it counts for nothing',
    `one or more of: ${CAPABILITIES.join(', ')}; or all`,
  );
}
