import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { faultProfile, parseFault } from '../../src/testbed/fault.js';
import {
  CMC_VERBS,
  initialState,
  step,
  type NodeEffect,
  type NodeEvent,
  type NodeSetup,
  type NodeState,
} from '../../src/testbed/node-machine.js';

const setupWith = (...faults: string[]): NodeSetup => ({
  faults: faultProfile(
    1,
    faults.map((fault) => parseFault(`fit01:${fault}`)),
  ),
  times: { ramdiskMs: 200, osMs: 300 },
});

/** Plays events against the machine, answers its timers on request, and tells what it did. */
class Player {
  state: NodeState;
  readonly setup: NodeSetup;
  effects: NodeEffect[] = [];

  constructor(setup: NodeSetup) {
    this.setup = setup;
    this.state = initialState(setup);
  }

  play(event: NodeEvent): NodeEffect[] {
    const next = step(this.setup, this.state, event);
    this.state = next.state;
    this.effects = next.effects;
    return next.effects;
  }

  ask(verb: string): string {
    const answer = this.play({ type: 'request', verb }).find((effect) => effect.type === 'answer');
    return answer?.text ?? 'no answer';
  }

  /** Lets the time of the pending timer pass; returns its delay. */
  fire(): number {
    const timer = this.effects.find((effect) => effect.type === 'timer');
    if (!timer) throw new Error(`nothing to wait for in ${JSON.stringify(this.effects)}`);
    this.play({ type: 'timer', cycle: timer.cycle });
    return timer.delayMs;
  }

  boot(target: 'ramdisk' | 'os' | 'nothing'): void {
    this.fire();
    this.play({ type: 'boot-target', cycle: this.state.cycle, target });
  }
}

describe('a node', () => {
  test('answers its power card in the words of the real one', () => {
    const node = new Player(setupWith());
    expect(node.ask('status')).toBe('off');
    expect(node.ask('off')).toBe('already off');
    expect(node.ask('on')).toBe('ok');
    expect(node.ask('status')).toBe('on');
    expect(node.ask('on')).toBe('already on');
    expect(node.ask('reset')).toBe('ok');
    expect(node.ask('off')).toBe('ok');
    expect(node.ask('status')).toBe('off');
    expect(node.ask('info').split('\n').length).toBeGreaterThan(1);
    expect([node.ask('usrpstatus'), node.ask('usrpon'), node.ask('usrpstatus'), node.ask('usrpoff'), node.ask('usrpstatus')]).toEqual([
      'usrpoff',
      'ok',
      'usrpon',
      'ok',
      'usrpoff',
    ]);
    expect(node.play({ type: 'request', verb: 'explode' })).toEqual([{ type: 'answer', status: 404, text: 'unknown command explode' }]);
  });

  test('looks for something to boot half-way to the ramdisk, then brings the ramdisk up in the rest of the time', () => {
    const node = new Player(setupWith());
    node.ask('on');
    expect(node.fire()).toBe(100);
    expect(node.effects).toEqual([{ type: 'find-boot-target', cycle: 1 }]);
    node.play({ type: 'boot-target', cycle: 1, target: 'ramdisk' });
    expect(node.fire()).toBe(100);
    expect(node.effects).toEqual([{ type: 'ramdisk-up' }]);
    expect(node.state.phase).toBe('ramdisk');
  });

  test("brings the disk's system up after its own time", () => {
    const node = new Player(setupWith());
    node.ask('on');
    node.boot('os');
    expect(node.fire()).toBe(200);
    expect(node.effects).toEqual([{ type: 'os-up' }]);
  });

  test('stands still when there is nothing to boot', () => {
    const node = new Player(setupWith());
    node.ask('on');
    node.boot('nothing');
    expect([node.state.phase, node.effects, node.ask('status')]).toEqual(['dead', [], 'on']);
  });

  test('loses everything at a reset and starts over; timers of the life before mean nothing', () => {
    const node = new Player(setupWith());
    node.ask('on');
    node.boot('ramdisk');
    const stale = node.effects;
    node.ask('reset');
    expect(node.effects[0]).toEqual({ type: 'kill' });
    const afterReset = node.state;
    for (const effect of stale) if (effect.type === 'timer') node.play({ type: 'timer', cycle: effect.cycle });
    expect(node.state).toEqual(afterReset);
    expect(node.state.phase).toBe('post');
  });

  test('does nothing at a reset while switched off', () => {
    const node = new Player(setupWith());
    expect(node.ask('reset')).toBe('ok');
    expect(node.ask('status')).toBe('off');
  });

  test('freezes at a crash, stays powered, and comes back with a reset', () => {
    const node = new Player(setupWith());
    node.ask('on');
    node.boot('ramdisk');
    node.fire();
    expect(node.play({ type: 'crash' })).toEqual([{ type: 'freeze' }]);
    expect([node.state.phase, node.ask('status')]).toEqual(['dead', 'on']);
    node.ask('reset');
    node.boot('ramdisk');
    node.fire();
    expect(node.state.phase).toBe('ramdisk');
  });
});

describe('faults of a node', () => {
  test('cmc-busy answers so n times, whatever it is asked, and acts on nothing', () => {
    const node = new Player(setupWith('cmc-busy:2'));
    expect([node.ask('on'), node.ask('on'), node.ask('status'), node.ask('on')]).toEqual(['CM card busy', 'CM card busy', 'off', 'ok']);
  });

  test('reset-ignored acknowledges and does nothing; off and on work', () => {
    const node = new Player(setupWith('reset-ignored'));
    node.ask('on');
    node.boot('os');
    node.fire();
    expect(node.ask('reset')).toBe('ok');
    expect(node.state.phase).toBe('os');
    expect(node.effects.filter((effect) => effect.type !== 'answer')).toEqual([]);
    expect([node.ask('off'), node.ask('on')]).toEqual(['ok', 'ok']);
    expect(node.state.phase).toBe('post');
  });

  test('no-boot is powered and nothing comes', () => {
    const node = new Player(setupWith('no-boot'));
    expect([node.ask('on'), node.ask('status')]).toEqual(['ok', 'on']);
    expect(node.state.phase).toBe('dead');
  });

  test('slow-boot takes that much longer', () => {
    const node = new Player(setupWith('slow-boot:3'));
    node.ask('on');
    expect(node.fire()).toBe(3100);
  });

  test('old-os-lingers keeps the system up until the power really goes; off does not wait', () => {
    const node = new Player(setupWith('old-os-lingers:5'));
    node.ask('on');
    node.boot('os');
    node.fire();
    expect(node.ask('reset')).toBe('ok');
    expect(node.state.phase).toBe('os');
    const lingering = { ...node.state };
    const [timer] = node.effects;
    expect(timer).toMatchObject({ type: 'timer', delayMs: 5000 });
    expect(node.ask('reset')).toBe('ok');
    expect(node.state).toEqual(lingering);
    node.play({ type: 'timer', cycle: lingering.cycle });
    expect(node.effects[0]).toEqual({ type: 'kill' });
    expect(node.state.phase).toBe('post');

    const other = new Player(setupWith('old-os-lingers:5'));
    other.ask('on');
    other.boot('os');
    other.fire();
    other.ask('reset');
    other.ask('off');
    expect([other.state.phase, other.state.lingering]).toEqual(['off', false]);
  });
});

describe('the machine, whatever happens to it', () => {
  const anyFault = fc.subarray(['cmc-busy:3', 'reset-ignored', 'no-boot', 'slow-boot:1', 'old-os-lingers:1']);
  const anyMove = fc.oneof(
    fc.constantFrom(...CMC_VERBS).map((verb) => ({ move: 'ask' as const, verb })),
    fc.constant({ move: 'timers' as const }),
    fc.constantFrom('ramdisk', 'os', 'nothing').map((target) => ({ move: 'target' as const, target })),
    fc.constant({ move: 'crash' as const }),
  );

  test('answers every request once, cuts power before booting again, and is never up without power', () => {
    fc.assert(
      fc.property(anyFault, fc.array(anyMove, { maxLength: 60 }), (faults, moves) => {
        const node = new Player(setupWith(...faults));
        let timers: number[] = [];
        let systemUp = false;
        for (const move of moves) {
          const events: NodeEvent[] =
            move.move === 'ask'
              ? [{ type: 'request', verb: move.verb }]
              : move.move === 'crash'
                ? [{ type: 'crash' }]
                : move.move === 'target'
                  ? [{ type: 'boot-target', cycle: node.state.cycle, target: move.target as 'os' }]
                  : timers.splice(0).map((cycle) => ({ type: 'timer' as const, cycle }));
          for (const event of events) {
            const effects = node.play(event);
            expect(effects.filter((effect) => effect.type === 'answer').length).toBe(event.type === 'request' ? 1 : 0);
            for (const effect of effects) {
              if (effect.type === 'timer') timers.push(effect.cycle);
              if (effect.type === 'kill' || effect.type === 'freeze') systemUp = false;
              if (effect.type === 'ramdisk-up' || effect.type === 'os-up') {
                expect(systemUp).toBe(false);
                systemUp = true;
              }
            }
            expect(systemUp).toBe(node.state.phase === 'ramdisk' || node.state.phase === 'os');
          }
          timers = timers.slice(-4);
        }
      }),
    );
  });
});
