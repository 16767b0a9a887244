import type { Writable } from 'node:stream';
import { say } from '../../util/say.js';
import type { ChangeLog } from './change-log.js';
import { Follower } from './follower.js';
import type { Output } from './output.js';

/** JSON lines. `onGone` is called when nobody reads them any more. */
export function linesOutput(log: ChangeLog, out: Writable, onGone: () => void): Output {
  const follower = new Follower(log, { send: (text) => say(out, text), waiting: () => out.writableLength }, null, true);
  const onDrain = (): void => follower.pump();
  out.on('drain', onDrain).on('error', onGone);
  return {
    close: async () => {
      follower.close();
      out.off('drain', onDrain).off('error', onGone);
    },
  };
}
