import { describe, expect, test } from 'vitest';
import { chooseImages, choiceOf, imagesText, namesText, type ListOptions } from '../../../src/cli/images/list-images.js';
import type { ListedImage } from '../../../src/images/find.js';
import { parseSavedName, radicalOf } from '../../../src/images/saved.js';

const image = (name: string, sizeBytes: number, day: number, aliases: string[] = [], brokenLinkTo: string | null = null): ListedImage => ({
  name,
  radical: radicalOf(name),
  node: parseSavedName(name)?.node ?? null,
  path: `/images/${name}.ndz`,
  sizeBytes,
  mtimeMs: new Date(2026, 10, day, 1, 16).getTime(),
  aliases,
  brokenLinkTo,
});
const SAVED = 'saving__fit07__2026-11-21@01-16__fedora-mine';
const images = [
  image('fedora-21', 3e8, 3, ['default']),
  image('ubuntu-16', 5e8, 1),
  image(SAVED, 4e8, 21),
  image('gone', 0, 2, [], 'nowhere.ndz'),
];
const none: ListOptions = { every: false, shared: false, size: false, date: false, reverse: false };
const chosen = (words: string[], options: Partial<ListOptions> = {}): string[] =>
  chooseImages(images, choiceOf(words, { ...none, ...options })).map(({ name }) => name);

describe('a choice of images', () => {
  test.each<[string, string[], Partial<ListOptions>, string[]]>([
    ['all, by name', [], {}, ['fedora-21', 'gone', SAVED, 'ubuntu-16']],
    ['any of several words', ['21', 'ubuntu'], {}, ['fedora-21', SAVED, 'ubuntu-16']],
    ['every word', ['fedora', 'mine'], { every: true }, [SAVED]],
    ['by alias', ['default'], {}, ['fedora-21']],
    ['without a word', ['~fit07'], {}, ['fedora-21', 'gone', 'ubuntu-16']],
    ['some, without a word', ['fedora', '~mine'], {}, ['fedora-21']],
    ['what is shared', [], { shared: true }, ['fedora-21', 'gone', 'ubuntu-16']],
    ['the largest first', [], { size: true }, ['ubuntu-16', SAVED, 'fedora-21', 'gone']],
    ['the newest first', [], { date: true }, [SAVED, 'fedora-21', 'gone', 'ubuntu-16']],
    ['the oldest first', [], { date: true, reverse: true }, ['ubuntu-16', 'gone', 'fedora-21', SAVED]],
  ])('%s', (_, words, options, expected) => {
    expect(chosen(words, options)).toEqual(expected);
  });

  test('has one order', () => {
    expect(() => chosen([], { size: true, date: true })).toThrow('do not go together');
  });
});

test('is shown with date, size, name and aliases, and a total', () => {
  expect(imagesText(images, false, '/images')).toBe(`2026-11-03 01:16   300.0 MB  fedora-21  aka default
2026-11-01 01:16   500.0 MB  ubuntu-16
2026-11-21 01:16   400.0 MB  ${SAVED}
2026-11-02 01:16          -  gone  broken link to nowhere.ndz
3 images, 1.2 GB; 1 broken link
`);
  expect(imagesText([], true, '/images')).toBe('no matching images in /images\n');
  expect(namesText(images)).toBe(`fedora-21\nubuntu-16\n${SAVED}\n`);
});

test('lets no file name drive the terminal', () => {
  expect(imagesText([image('a\u001b[2J\nb', 1, 1)], false, '/images')).not.toMatch(/\u001b|\nb/);
});
