/** What `work` throws, which must be a `type`. */
export function thrown<T extends Error>(type: abstract new (...args: never[]) => T, work: () => unknown): T {
  try {
    work();
  } catch (error) {
    if (error instanceof type) return error;
    throw error;
  }
  throw new Error(`nothing was thrown, a ${type.name} was expected`);
}

/** What `work` rejects with, which must be a `type`. */
export async function rejected<T extends Error>(type: abstract new (...args: never[]) => T, work: Promise<unknown>): Promise<T> {
  const outcome: unknown = await work.then(
    () => new Error(`nothing was thrown, a ${type.name} was expected`),
    (error: unknown) => error,
  );
  if (outcome instanceof type) return outcome;
  throw outcome;
}
