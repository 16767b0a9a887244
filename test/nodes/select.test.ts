import { describe, expect, test } from 'vitest';
import { fold } from '../../src/nodes/names.js';
import { checkKnown, emptySelection, selectNodes, type SelectionInput } from '../../src/nodes/select.js';
import { UserError } from '../../src/util/errors.js';
import { thrown } from '../helpers/thrown.js';

const names = { regularName: 'fit', rebootName: 'reboot' };
const select = (input: Partial<SelectionInput>): string =>
  fold(selectNodes({ args: [], allNodes: false, env: {}, allScope: null, names, ...input }).numbers);

describe('which nodes a command works on', () => {
  test('takes ALL_NODES, with blanks or commas, before testbed.all_scope', () => {
    expect(select({ allNodes: true, env: { ALL_NODES: '1-3 ~2' }, allScope: '1-37' })).toBe('1,3');
    expect(select({ allNodes: true, env: { ALL_NODES: ' 4,38-41,\t~39 ' }, allScope: '1-37' })).toBe('4,38,40-41');
    for (const ALL_NODES of ['', '  ', undefined]) {
      expect(select({ allNodes: true, env: { ALL_NODES }, allScope: '4,38-41' })).toBe('4,38-41');
    }
  });

  test('applies -a first, then the arguments, and does not look at NODES', () => {
    expect(select({ allNodes: true, args: ['~4', '50'], allScope: '1-6', env: { NODES: 'nonsense' } })).toBe('1-3,5-6,50');
    expect(select({ allNodes: true, allScope: '1-6', env: {} })).toBe('1-6');
  });

  test('refuses -a when nothing says what all nodes are', () => {
    const error = thrown(UserError, () => select({ allNodes: true, env: { NODES: '1' } }));
    expect(error.kind).toBe('usage');
    expect(error.hint).toContain('ALL_NODES');
    expect(error.hint).toContain('all_scope');
  });

  test('refuses when no node is given and NODES is unset or blank', () => {
    for (const env of [{}, { NODES: '' }, { NODES: ' \n ' }]) {
      const error = thrown(UserError, () => select({ env }));
      expect(error).toMatchObject({ kind: 'usage', message: 'no node given' });
      expect(error.hint).toContain('NODES');
    }
  });

  test('says where a misformed word comes from', () => {
    expect(thrown(UserError, () => select({ env: { NODES: '1 ubuntu' } }))).toMatchObject({
      kind: 'usage',
      message: expect.stringMatching(/^NODES: "ubuntu"/),
    });
    expect(thrown(UserError, () => select({ allNodes: true, env: { ALL_NODES: '1-' } })).message).toMatch(/^ALL_NODES: "1-"/);
    const config = thrown(UserError, () => select({ allNodes: true, allScope: '1-37-0' }));
    expect(config).toMatchObject({ kind: 'environment', message: expect.stringMatching(/^testbed.all_scope: "1-37-0"/) });
    expect(thrown(UserError, () => select({ args: ['1-'], env: { NODES: '1' } })).message).toMatch(/^"1-"/);
  });

  test('knows no prefix but the configured ones', () => {
    const others = { regularName: 'node-', rebootName: 'cmc' };
    expect(select({ args: ['node-3,cmc5'], names: others })).toBe('3,5');
    expect(thrown(UserError, () => select({ args: ['fit01'], names: others })).message).toContain('"fit01"');
  });
});

describe('nodes against the inventory', () => {
  const known = new Set([1, 2, 3, 7]);
  const check = (...args: string[]): void =>
    checkKnown(selectNodes({ args, allNodes: false, env: {}, allScope: null, names }), known, names);

  test('lists the unknown ones, folded', () => {
    expect(() => check('1-3', '7')).not.toThrow();
    const error = thrown(UserError, () => check('1-12'));
    expect(error).toMatchObject({ kind: 'usage', message: 'nodes 4-6,8-12 are not in the inventory' });
    expect(error.hint).not.toContain('forget');
    expect(thrown(UserError, () => check('140')).message).toBe('node 140 is not in the inventory');
  });

  test('asks after -i when a word looks like an image', () => {
    expect(thrown(UserError, () => check('2015-2020', '2015-11-25')).hint).toBe('"2015-11-25" looks like an image: did you forget -i?');
  });

  test('keeps the list short enough to read', () => {
    expect(thrown(UserError, () => check('9-99999-2')).message.length).toBeLessThan(260);
  });

  test('has an error for commands that need a node', () => {
    expect(emptySelection({ numbers: [], words: ['1-3', '~1-3'] }, names)).toMatchObject({
      kind: 'usage',
      message: 'the selection is empty: 1-3 ~1-3',
    });
    expect(emptySelection({ numbers: [], words: ['2015-11-25'] }, names).hint).toContain('did you forget -i?');
  });
});
