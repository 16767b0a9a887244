import { createElement, type ReactElement } from 'react';
import { render, Text } from 'ink';
import type { RunState } from '../events/reducer.js';
import type { Monitor } from './contract.js';
import { renderRows } from './rows.js';

const FRAME_MS = 250;

/** All rows as one text: the layout is done by `renderRows`, Ink only draws what changed. */
export function Screen({ rows }: { rows: readonly string[] }): ReactElement {
  return createElement(Text, { wrap: 'truncate' }, rows.join('\n'));
}

/** A live screen on a terminal: at most four frames a second, only after a change, and never as tall as the terminal. */
export function openScreen(out: NodeJS.WriteStream, state: RunState, now: () => number): Monitor {
  let dirty = true;
  const frame = (): ReactElement => createElement(Screen, { rows: renderRows(state, out.columns || 80, out.rows || 24, now()) });
  const ink = render(frame(), { stdout: out, stderr: out, stdin: process.stdin, exitOnCtrlC: false, patchConsole: false, maxFps: 1000 / FRAME_MS });
  const draw = (): void => {
    if (!dirty) return;
    dirty = false;
    ink.rerender(frame());
  };
  const timer = setInterval(draw, FRAME_MS);
  const clock = setInterval(() => (dirty = true), 1_000); // the elapsed time moves even when nothing else does
  const onResize = (): void => {
    ink.clear(); // a narrower terminal has wrapped the old frame
    dirty = true;
  };
  out.on('resize', onResize);
  let closed = false;
  return {
    sink: () => {
      dirty = true;
    },
    close: async () => {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      clearInterval(clock);
      out.off('resize', onResize);
      dirty = true;
      draw();
      ink.unmount();
      await ink.waitUntilExit();
    },
  };
}
