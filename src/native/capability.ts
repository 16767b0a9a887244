import { messageOf } from '../util/errors.js';
import { type Library, loadLibrary } from './library.js';
import { type CapabilityName, switchedOff } from './switches.js';

/** Something that system calls make possible where they are to be had, and that has another way where they are not. */
export type Capability<T> = {
  readonly name: CapabilityName;
  /** For people: what it does, and what is done without it. */
  readonly does: string;
  readonly without: string;
  /** What does it; null where it is off. Probed once in each thread. */
  get(): Promise<T | null>;
  /** Why it is off; null when it is on. */
  whyOff(): Promise<string | null>;
};

type Probed<T> = { value: T; why: null } | { value: null; why: string };

/** `open` makes what does it and throws, with the reason, where this machine cannot. */
export function capability<T>(
  { name, does, without }: Pick<Capability<T>, 'name' | 'does' | 'without'>,
  open: (library: Library) => T | Promise<T>,
): Capability<T> {
  let probing: Promise<Probed<T>> | null = null;
  const probe = async (): Promise<Probed<T>> => {
    try {
      return { value: await open(await loadLibrary()), why: null };
    } catch (error) {
      return { value: null, why: messageOf(error) };
    }
  };
  const probed = async (): Promise<Probed<T>> => {
    const why = switchedOff(name);
    if (why !== null) return { value: null, why };
    return (probing ??= probe());
  };
  return { name, does, without, get: async () => (await probed()).value, whyOff: async () => (await probed()).why };
}
