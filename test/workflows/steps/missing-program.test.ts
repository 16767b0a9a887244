import { expect, test } from 'vitest';
import { hearMissing } from '../../../src/workflows/steps/missing-program.js';

test.each([
  'sh: nc: not found',
  'sh: 1: nc: not found',
  '-ash: nc: not found\r',
  'bash: line 1: nc: command not found',
  'bash: nc: No such file or directory',
])('a shell says in its way that a program is not there: %s', async (line) => {
  const { onLine, lost } = hearMissing('fit07', ['imagezip', 'nc']);
  onLine('imagezip: /dev/sda: No such file or directory'); // what a program says of something else
  onLine(line);
  await expect(lost).rejects.toMatchObject({
    code: 'no-such-program',
    blame: 'site',
    message: expect.stringMatching(/fit07 has no program nc/) as unknown,
  });
});
