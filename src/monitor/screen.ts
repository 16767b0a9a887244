import type { RunState } from '../events/reducer.js';
import type { Controls, Monitor } from './contract.js';
import { PaceMeter } from './pace.js';
import { headRows, listedTargets, renderRows, type Shown } from './rows.js';
import { openTerminal } from './terminal.js';
import { firstView, pressKey } from './view.js';

/** A live screen of a run; `now` is the time that the run is in. */
export function openScreen(
  out: NodeJS.WriteStream,
  env: Readonly<Record<string, string | undefined>>,
  state: RunState,
  now: () => number,
  controls: Controls,
): Monitor {
  const meter = new PaceMeter();
  let view = firstView;
  const shown = (): Shown => ({
    view,
    pace: meter.observe(state, now()),
    keys: controls.stdin !== null,
    asks: controls.leaving === 'asks',
    log: controls.log,
  });
  const terminal = openTerminal({
    out,
    stdin: controls.stdin,
    ...terminalTraits(env),
    frame: (width, height) => renderRows(state, width, height, now(), shown()),
    lastFrame: (width, height) => headRows(state, width, height, now(), { ...meter.observe(state, now()), etaMs: null }),
    onKey: (key) => {
      const pressed = pressKey(
        view,
        key,
        listedTargets(state, view).map(({ name }) => name),
        controls.leaving,
      );
      view = pressed.view;
      if (pressed.effect === 'leave') controls.onLeave();
    },
  });
  return { sink: () => terminal.changed(), close: () => terminal.close() };
}

/** What the environment says of the terminal. */
export function terminalTraits(env: Readonly<Record<string, string | undefined>>): { colour: boolean; reflows: boolean } {
  return { colour: (env.NO_COLOR ?? '') === '', reflows: env.XTERM_VERSION === undefined };
}
