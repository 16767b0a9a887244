import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** Lines that write by themselves, by a piece of them, and why they may. Everything else says what it says through src/util/say.ts. */
const MAY_WRITE: Readonly<Record<string, readonly string[]>> = {
  'cli/kit/progress-bar.ts': [String.raw`'\r\u001b[K'`, String.raw`\r$\{text.slice`.replace(String.raw`$\{`, '${')], // paints over its own line; its words are ours
  'cli/images/unzip.ts': ['sink.write('], // a disk
  'app/execute-run.ts': ['log?.write('], // the log file, which cleans its lines
  'monitor/live/consumers.ts': ['response.write('], // to consumers over HTTP: JSON with escapes
  'cli/runs/log.ts': ['stdout.write(piece)', "lines.join('')"], // --raw; and lines that are printable, with what waits for the reader
  'cli/main.ts': ["stream.write(''"], // nothing: waits for what was written
  'monitor/terminal.tsx': ['\\u001b[1A'], // takes its own frame away
  'programs/dot-line.ts': ["write('.')"], // a dot
  'programs/imageunzip.ts': ['sink.write('], // a disk
};

test('texts to standard output and standard error go through say', () => {
  const files = readdirSync(src, { recursive: true })
    .map(String)
    .filter((file) => /^(cli|app|monitor|programs)\/.*\.tsx?$/.test(file));
  expect(files.length).toBeGreaterThan(80);
  const direct = files.flatMap((file) =>
    readFileSync(join(src, file), 'utf8')
      .split('\n')
      .filter((line) => /\.write\(/.test(line) && !MAY_WRITE[file]?.some((piece) => line.includes(piece)))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(direct).toEqual([]);
});
