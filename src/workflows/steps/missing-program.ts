import { fail } from '../failures.js';

/**
 * Hears a node's shell say that it cannot find one of `programs` (`sh: nc: not found`): `lost` rejects then with a Failure
 * `no-such-program`, and never resolves. The other programs of a pipe may go on, or wait for ever.
 */
export function hearMissing(node: string, programs: readonly string[]): { onLine: (line: string) => void; lost: Promise<never> } {
  let lose: (error: Error) => void = () => {};
  const lost = new Promise<never>((_, reject) => (lose = reject));
  lost.catch(() => {}); // whoever races it sees it
  const onLine = (line: string): void => {
    const name = /(?:^|\s)(\S+): (?:(?:command )?not found|No such file or directory)\s*$/.exec(line)?.[1];
    if (name === undefined || !programs.includes(name)) return;
    lose(
      fail(
        'no-such-program',
        `the PXE system of ${node} has no program ${name}: ${JSON.stringify(line.trim().slice(0, 200))}`,
        'add it there; see frisbee.imagezip and frisbee.netcat in the configuration',
      ),
    );
  };
  return { onLine, lost };
}
