import { createCipheriv } from 'node:crypto';

/** A file of the demo system: its path without leading slash, what is in it, and whether it can be run. */
export type DemoFile = { path: string; content: Uint8Array; executable?: boolean };

/** The share of the disk that gets bytes which do not compress, and text which does. */
const RANDOM_SHARE = 0.25;
const TEXT_SHARE = 0.05;
const RANDOM_FILE_BYTES = 1024 * 1024;

/**
 * The files of a small system that fills about a third of a disk of `diskBytes`. The same for the same arguments.
 * `stamp` is the text of /etc/imaging-image.
 */
export function demoFiles(diskBytes: number, stamp: string): DemoFile[] {
  const text = (path: string, content: string): DemoFile => ({ path, content: Buffer.from(content) });
  return [
    text('etc/imaging-image', stamp),
    text('etc/hostname', 'demo\n'),
    text('etc/os-release', 'ID=imaging-demo\nNAME="imaging demo"\nPRETTY_NAME="A small system made by imaging"\nVERSION_ID=1\n'),
    text('etc/fstab', '/dev/sda1 / ext4 defaults 0 1\n'),
    text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n'),
    { ...text('bin/hello', '#!/bin/sh\necho "hello from $(cat /etc/hostname)"\n'), executable: true },
    text('root/.profile', 'export PS1="\\h:\\w# "\n'),
    text('var/log/empty.log', ''),
    text('usr/share/doc/imaging/words.txt', wordList(Math.floor(diskBytes * TEXT_SHARE))),
    ...randomFiles(Math.floor(diskBytes * RANDOM_SHARE)),
  ];
}

function wordList(sizeBytes: number): string {
  const words = ['block', 'chunk', 'region', 'sector', 'disk', 'node', 'image', 'multicast', 'reset', 'boot'];
  const lines: string[] = [];
  for (let total = 0, i = 0; total < sizeBytes; i++) {
    const line = `${i}: ${words[i % 10]} ${words[(i * 7 + 3) % 10]} ${(i * 2_654_435_761) % 4_294_967_296}\n`;
    lines.push(line);
    total += line.length;
  }
  return lines.join('');
}

/** Files of about 1 MiB each whose bytes look random, so that the image has as many chunks as a real one of its size. */
function randomFiles(totalBytes: number): DemoFile[] {
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'imaging'), Buffer.alloc(16));
  const count = Math.max(1, Math.ceil(totalBytes / RANDOM_FILE_BYTES));
  return Array.from({ length: count }, (_, i) => ({
    path: `usr/lib/demo/part-${String(i).padStart(3, '0')}.bin`,
    // odd sizes, as files have
    content: stream.update(Buffer.alloc(Math.max(1, Math.floor(totalBytes / count) - i * 13))),
  }));
}
