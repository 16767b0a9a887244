import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FrisbeeOutputParser } from '../../../src/workflows/steps/frisbee-output.js';

/** As frisbee's 2015 binary prints it, through a terminal. */
const transcript = [
  'Maximum socket buffer size of 1048576 bytes',
  'Bound to port 10002',
  'Using Multicast 234.5.6.2',
  'Joined the team after 0 sec. ID is 301832899. File is 202 chunks (211812352 bytes)',
  `${'.'.repeat(67)}   1    135`,
  `${'s'.repeat(3)}${'.'.repeat(64)}   3     68`,
  '.'.repeat(68),
  'Client 301832899 Performance:',
  '  runtime:                5.236 sec',
  '  real data written:      109505536 (21901107 Bps)',
  '',
  'Left the team after 5 seconds on the field!',
  'Wrote 209715200 bytes (209715100 actual)',
  '0 464 514',
  '',
].join('\r\n');

test('progress and numbers, however the text is cut', () => {
  for (let size = 1; size <= transcript.length; size += size < 40 ? 1 : 37) {
    const parser = new FrisbeeOutputParser();
    for (let at = 0; at < transcript.length; at += size) parser.push(transcript.slice(at, at + size));
    expect(parser.output).toEqual({
      totalChunks: 202,
      doneChunks: 202,
      wrote: { effectiveBytes: 209715200, actualBytes: 209715100 },
      lastLine: '0 464 514',
    });
  }
});

test('dots count as they come, without a newline', () => {
  const parser = new FrisbeeOutputParser();
  parser.push('File is 10 chunks\r\n...');
  expect(parser.output.doneChunks).toBe(3);
  parser.push('.');
  expect(parser.output.doneChunks).toBe(4);
});

test('a message after dots takes them back, statistics never count', () => {
  const parser = new FrisbeeOutputParser();
  parser.push('File is 10 chunks\n..*** No messages\n  start delay: 0.000 sec\nsorry, .\n');
  expect(parser.output.doneChunks).toBe(0);
});

test('a hostile endless line is not kept', () => {
  const parser = new FrisbeeOutputParser();
  for (let i = 0; i < 1_000; i += 1) parser.push('x'.repeat(1_000));
  parser.push('\n');
  expect(parser.output.lastLine.length).toBeLessThanOrEqual(4096);
});

test('a recorded session of the real client', () => {
  const parser = new FrisbeeOutputParser();
  parser.push(readFileSync(new URL('../../fixtures/frisbee-client.log', import.meta.url), 'utf8'));
  expect(parser.output).toMatchObject({ totalChunks: 32, doneChunks: 32, wrote: { effectiveBytes: 209715200, actualBytes: 109505536 } });
});
