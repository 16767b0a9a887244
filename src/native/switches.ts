/** What system calls are used for: each can be switched off by itself. */
export const CAPABILITIES = ['udp-batches', 'direct-io', 'block-devices', 'file-space', 'file-locks', 'uevents', 'libdeflate'] as const;
export type CapabilityName = (typeof CAPABILITIES)[number];

/** Names of capabilities, or `all`. Threads and programs that we start inherit it. */
export const OFF_VARIABLE = 'IMAGING_NATIVE_OFF';

const wordsOff = (): string[] => (process.env[OFF_VARIABLE] ?? '').split(/[\s,]+/).filter((word) => word !== '');

/** Words of the variable that mean nothing: nobody reads them, so that they should be told. */
export function unknownWords(): string[] {
  const known: readonly string[] = [...CAPABILITIES, 'all'];
  return wordsOff().filter((word) => !known.includes(word));
}

/** Why a capability is not to be used, or null. */
export function switchedOff(name: CapabilityName): string | null {
  const words = wordsOff();
  return words.includes(name) || words.includes('all') ? `switched off (${OFF_VARIABLE} or native.off)` : null;
}

/** Switches capabilities off, besides those that are off already, in this process and what it starts from now on. */
export function switchOff(names: readonly (CapabilityName | 'all')[]): void {
  const words = new Set([...wordsOff(), ...names]);
  if (words.size > 0) process.env[OFF_VARIABLE] = [...words].join(' ');
}
