import { type FaultProfile, strikes } from './fault.js';

/**
 * What a node is doing. `post`: the BIOS, before it looks for a system; `starting-…`: a kernel is booting; `dead`:
 * powered, but nothing runs and nothing will until the next power cycle.
 */
export type NodePhase = 'off' | 'post' | 'starting-ramdisk' | 'starting-os' | 'ramdisk' | 'os' | 'dead';

export type NodeState = {
  phase: NodePhase;
  usrpOn: boolean;
  /** `CM card busy` answers that are still to be given. */
  busyReplies: number;
  /** Grows with every change of power; a timer of an older cycle is ignored. */
  cycle: number;
  /** A reset was accepted but the power has not gone yet. */
  lingering: boolean;
  /** How often its power has come on. */
  boots: number;
};

/** What the machine reads from its disk and the TFTP server when its BIOS looks for a system. */
export type BootTarget = 'ramdisk' | 'os' | 'nothing';

export type NodeEvent =
  | { type: 'request'; verb: string }
  | { type: 'timer'; cycle: number }
  | { type: 'boot-target'; cycle: number; target: BootTarget }
  | { type: 'crash' };

export type NodeEffect =
  | { type: 'answer'; status: number; text: string }
  /** Power is cut: every listener, session and program of the node ends at once. */
  | { type: 'kill' }
  /** The node stops without a word: sessions stay open and silent. */
  | { type: 'freeze' }
  | { type: 'timer'; cycle: number; delayMs: number }
  | { type: 'find-boot-target'; cycle: number }
  | { type: 'ramdisk-up' }
  | { type: 'os-up' };

/** How long booting takes: from power to the ramdisk's telnet, from power to the disk's system. */
export type BootTimes = { ramdiskMs: number; osMs: number };

export type NodeSetup = { faults: FaultProfile; times: BootTimes };

export type Step = { state: NodeState; effects: NodeEffect[] };

/** A node that is switched off. */
export function initialState({ faults }: NodeSetup): NodeState {
  return { phase: 'off', usrpOn: false, busyReplies: faults.cmcBusyReplies, cycle: 0, lingering: false, boots: 0 };
}

/** The power card's verbs: GET /verb on port 80, a word as text in reply. */
export const CMC_VERBS = ['status', 'on', 'off', 'reset', 'info', 'usrpstatus', 'usrpon', 'usrpoff'] as const;
type CmcVerb = (typeof CMC_VERBS)[number];

/** One event in, the new state and what must be done about it out. Pure: no clock, no files, no sockets. */
export function step(setup: NodeSetup, state: NodeState, event: NodeEvent): Step {
  switch (event.type) {
    case 'request':
      return request(setup, state, event.verb);
    case 'timer':
      return event.cycle === state.cycle ? timeUp(setup, state) : { state, effects: [] };
    case 'boot-target':
      return event.cycle === state.cycle && state.phase === 'post' ? startSystem(setup, state, event.target) : { state, effects: [] };
    case 'crash':
      return crash(state);
  }
}

function request(setup: NodeSetup, state: NodeState, verb: string): Step {
  const known = CMC_VERBS.find((candidate) => candidate === verb);
  if (known === undefined) return answer(state, `unknown command ${verb}`, 404);
  if (state.busyReplies > 0) return answer({ ...state, busyReplies: state.busyReplies - 1 }, 'CM card busy');
  return obey(setup, state, known);
}

function obey(setup: NodeSetup, state: NodeState, verb: CmcVerb): Step {
  const isOn = state.phase !== 'off';
  switch (verb) {
    case 'status':
      return answer(state, isOn ? 'on' : 'off');
    case 'on':
      return isOn ? answer(state, 'already on') : alsoAnswer(powerUp(setup, state), 'ok');
    case 'off':
      return isOn ? alsoAnswer(cutPower(state), 'ok') : answer(state, 'already off');
    case 'reset':
      return alsoAnswer(reset(setup, state), 'ok');
    case 'info':
      return answer(state, 'Chassis Manager Card\nemulated\nfirmware 2.0\nverbs ' + CMC_VERBS.join(' '));
    case 'usrpstatus':
      return answer(state, state.usrpOn ? 'usrpon' : 'usrpoff');
    case 'usrpon':
    case 'usrpoff':
      return answer({ ...state, usrpOn: verb === 'usrpon' }, 'ok');
  }
}

/** The reset button: without power it does nothing. */
function reset(setup: NodeSetup, state: NodeState): Step {
  const { faults } = setup;
  if (state.phase === 'off' || faults.resetIgnored || state.lingering) return { state, effects: [] };
  const answers = state.phase === 'os' || state.phase === 'ramdisk';
  if (answers && faults.lingersMs > 0) {
    const cycle = state.cycle + 1;
    return { state: { ...state, cycle, lingering: true }, effects: [{ type: 'timer', cycle, delayMs: faults.lingersMs }] };
  }
  return powerCycle(setup, state);
}

function powerCycle(setup: NodeSetup, state: NodeState): Step {
  const down = cutPower(state);
  const up = powerUp(setup, down.state);
  return { state: up.state, effects: [...down.effects, ...up.effects] };
}

function cutPower(state: NodeState): Step {
  return { state: { ...state, phase: 'off', cycle: state.cycle + 1, lingering: false }, effects: [{ type: 'kill' }] };
}

function powerUp({ faults, times }: NodeSetup, state: NodeState): Step {
  const [cycle, boots] = [state.cycle + 1, state.boots + 1];
  if (faults.noBoot && strikes(faults, 'no-boot', boots)) return { state: { ...state, phase: 'dead', cycle, boots }, effects: [] };
  const delayMs = postMs(times) + faults.slowBootMs;
  return { state: { ...state, phase: 'post', cycle, boots }, effects: [{ type: 'timer', cycle, delayMs }] };
}

/** The next-boot link is looked up half-way to the ramdisk: it must still be there a moment after the reset. */
const postMs = ({ ramdiskMs }: BootTimes): number => ramdiskMs / 2;

function timeUp(setup: NodeSetup, state: NodeState): Step {
  if (state.lingering) return powerCycle(setup, state);
  switch (state.phase) {
    case 'post':
      return { state, effects: [{ type: 'find-boot-target', cycle: state.cycle }] };
    case 'starting-ramdisk':
      return { state: { ...state, phase: 'ramdisk' }, effects: [{ type: 'ramdisk-up' }] };
    case 'starting-os':
      return { state: { ...state, phase: 'os' }, effects: [{ type: 'os-up' }] };
    default:
      return { state, effects: [] };
  }
}

function startSystem({ times }: NodeSetup, state: NodeState, target: BootTarget): Step {
  if (target === 'nothing') return { state: { ...state, phase: 'dead' }, effects: [] };
  const totalMs = target === 'ramdisk' ? times.ramdiskMs : times.osMs;
  return {
    state: { ...state, phase: target === 'ramdisk' ? 'starting-ramdisk' : 'starting-os' },
    effects: [{ type: 'timer', cycle: state.cycle, delayMs: Math.max(0, totalMs - postMs(times)) }],
  };
}

function crash(state: NodeState): Step {
  if (state.phase === 'off' || state.phase === 'dead') return { state, effects: [] };
  return { state: { ...state, phase: 'dead', cycle: state.cycle + 1, lingering: false }, effects: [{ type: 'freeze' }] };
}

function answer(state: NodeState, text: string, status = 200): Step {
  return { state, effects: [{ type: 'answer', status, text }] };
}

function alsoAnswer(step: Step, text: string): Step {
  return { state: step.state, effects: [...step.effects, { type: 'answer', status: 200, text }] };
}
