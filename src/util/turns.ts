import pLimit from 'p-limit';
import { settledWithin } from './abort.js';

/** Runs a piece of work when it is its turn; settles as the work does. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/** At most `most` pieces of work at a time. One that takes longer than `turnMs` goes on, but does not hold up the others any more. */
export function createTurns(most: number, turnMs: number): Turns {
  const limit = pLimit(most);
  return (work) =>
    new Promise((resolve, reject) => {
      void limit(() => {
        const done = Promise.resolve().then(work);
        done.then(resolve, reject);
        return settledWithin(turnMs, done);
      });
    });
}
