import type { Controls } from '../../monitor/contract.js';
import { logTail } from '../../app/log-tail.js';

/** What a person at the terminal can do with a run that is shown. `runPath`: its folder, or null when none is kept. */
export function runControls(leaving: Controls['leaving'], runPath: string | null, onLeave: () => void): Controls {
  return {
    stdin: process.stdin.isTTY ? process.stdin : null,
    leaving,
    onLeave,
    log: (node, count) => (runPath === null ? [] : logTail(runPath, node, count)),
  };
}
