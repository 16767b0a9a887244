import { describe, expect, test } from 'vitest';
import { StatusMarker } from '../../src/telnet/status-marker.js';

const marker = new StatusMarker('0a1b');

function scan(...chunks: string[]): { output: string; status: number | null } {
  const scanner = marker.scanner();
  let output = '';
  for (const chunk of chunks) {
    const found = scanner.push(Buffer.from(chunk, 'latin1'));
    output += found.output.toString('latin1');
    if (found.status !== null) return { output, status: found.status };
  }
  return { output: output + scanner.rest().toString('latin1'), status: null };
}

describe('StatusMarker', () => {
  test('sends one line in which the marker never stands whole', () => {
    expect(marker.commandLine('frisbee -m 234.5.6.1 /dev/sda')).toBe('frisbee -m 234.5.6.1 /dev/sda; echo IMG_""STATUS_0a1b=$?\r\n');
    expect(scan(marker.commandLine('true')).status).toBeNull();
  });

  const cases: [string, string, string, number | null][] = [
    ['in column 0', 'out\r\nIMG_STATUS_0a1b=7\r\n', 'out\r\n', 7],
    ['behind a prompt', '# IMG_STATUS_0a1b=0\r\n# ', '# ', 0],
    ['behind dots without a line end', '.....IMG_STATUS_0a1b=255\n', '.....', 255],
    [
      'after its own echo, wrapped',
      'cmd; echo IMG_""STAT\r\nUS_0a1b=$?\r\nIMG_STATUS_0a1b=3\r\n',
      'cmd; echo IMG_""STAT\r\nUS_0a1b=$?\r\n',
      3,
    ],
    ["another run's", 'IMG_STATUS_ffff=1\r\n', 'IMG_STATUS_ffff=1\r\n', null],
    ['an unexpanded one', 'IMG_STATUS_0a1b=$?\r\n', 'IMG_STATUS_0a1b=$?\r\n', null],
    ['too many digits', 'IMG_STATUS_0a1b=1234\r\n', 'IMG_STATUS_0a1b=1234\r\n', null],
    ['the line not ended', 'IMG_STATUS_0a1b=7', 'IMG_STATUS_0a1b=7', null],
    ['a false start inside the true one', 'IMG_STIMG_STATUS_0a1b=9\r\n', 'IMG_ST', 9],
    ['right after an escape that would swallow its first letter', '\x1bIMG_STATUS_0a1b=4\r\n', '\x1b', 4],
  ];
  test.each(cases)('%s', (_, text, output, status) => {
    expect(scan(text)).toEqual({ output, status });
    for (let at = 0; at <= text.length; at++) expect(scan(text.slice(0, at), text.slice(at)), `cut at ${at}`).toEqual({ output, status });
    expect(scan(...text), 'byte by byte').toEqual({ output, status });
  });
});
