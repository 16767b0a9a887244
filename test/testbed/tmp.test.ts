import { test } from 'vitest';
import { mkdtempSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { systemHost } from '/work/main/src/util/host.js';
import { findShell } from '/work/main/src/testbed/shell-program.js';
import { realShell } from '/work/main/src/testbed/real-shell.js';
import { TelnetSession } from '/work/main/src/testbed/telnet-session.js';
test('x', async () => {
 for (const name of ['bash','busybox','dash']) {
  const dir = mkdtempSync('/tmp/tbx/d');
  const program = findShell(systemHost, dir);
  program.command = name==='bash'?'/usr/bin/bash':name==='busybox'?'/usr/bin/busybox':'/usr/bin/dash';
  program.args = name==='bash'?program.args: name==='busybox'?['sh','-i']:['-i'];
  const programs = new Map([
    ['frisbee', async (args: string[], io: any) => { io.stderr.write('frisbee ' + args.join('|') + '\n'); await new Promise(r=>setTimeout(r,30)); io.stderr.write('...\n'); return 7; }],
    ['imagezip', async (args: string[], io: any) => { io.stderr.write('zipping\n'); io.stdout.write(Buffer.alloc(300000, 65)); return 3; }],
    ['nc', async (args: string[], io: any) => { let n=0; for await (const c of io.stdin) n+=c.length; io.stdout.write(`got ${n}\n`); return 0; }],
  ]);
  const srv = createServer(s => new TelnetSession(s, realShell({host: systemHost, program, programs, folder: dir + '/s', hostname: 'fit01'})));
  await new Promise<void>(r => srv.listen(0, '127.0.0.1', r));
  const t0 = performance.now();
  const c = connect((srv.address() as any).port, '127.0.0.1');
  let out = '';
  c.on('data', d => out += d.toString('latin1'));
  c.write('frisbee -i 127.0.0.1 "a b" /dev/sda\necho _TELNET_STATUS=$?\nset -o pipefail\nimagezip -o - 2>/dev/null | nc 1.2.3.4 99\necho S=$?; { { imagezip -; echo $? >&3; } | nc x; } 3>&1\nmount /dev/sda1 /mnt\nls /nonexistent; echo ${PATH##*/}\nexit\n');
  await new Promise(r => c.on('close', r));
  console.log(name, performance.now()-t0, '\n', out.replace(/\x1b\[6n/g,'<6n>'));
  srv.close();
 }
});
