import { openTerminal } from '../../monitor/terminal.js';
import { terminalTraits } from '../../monitor/screen.js';
import { firstView, pressKey } from '../../monitor/view.js';
import type { NodeView } from '../../events/node-view.js';
import type { CommandContext } from '../kit/command.js';
import type { ChangeLog } from '../../monitor/live/change-log.js';
import type { Output } from '../../monitor/live/output.js';
import { watchedNodes, watchRows } from './watch-rows.js';

export type WatchScreenOptions = {
  out: NodeJS.WriteStream;
  states: ReadonlyMap<string, NodeView>;
  log: ChangeLog;
  fold(names: string[]): string;
  /** What to say of consumers. */
  notes: () => readonly string[];
  onLeave(): void;
};

/** A live screen of the watched nodes. */
export function watchScreen({ out, states, log, fold, notes, onLeave }: WatchScreenOptions, { host }: CommandContext): Output {
  let view = firstView;
  const stdin = process.stdin.isTTY ? process.stdin : null;
  const rows = (width: number, height: number) =>
    watchRows(
      {
        nodes: states,
        view,
        keys: stdin !== null,
        nowMs: host.now(),
        notes: notes(),
        fold,
        changesOf: (node, count) => log.changesOf(node, count),
      },
      width,
      height,
    );
  const terminal = openTerminal({
    out,
    stdin,
    ...terminalTraits(host.env),
    frame: rows,
    lastFrame: (width) => rows(width, 3), // only the counts stay
    onKey: (key) => {
      const pressed = pressKey(view, key, watchedNodes({ nodes: states, view, nowMs: host.now() }), 'at-once');
      view = pressed.view;
      if (pressed.effect === 'leave') onLeave();
    },
  });
  const forget = log.onChange(() => terminal.changed());
  return {
    close: async () => {
      forget();
      await terminal.close();
    },
  };
}
