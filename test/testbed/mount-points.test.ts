import { expect, test } from 'vitest';
import { MountPoints, isMountable } from '../../src/testbed/mount-points.js';

test.each([
  ['mount /dev/sda1 /mnt', 'mount /dev/sda1 /proc/self/cwd/mnt'],
  [
    '{ [ -d /mnt ] || mkdir -p /mnt ; } && mount /dev/sda1 /mnt',
    '{ [ -d /proc/self/cwd/mnt ] || mkdir -p /proc/self/cwd/mnt ; } && mount /dev/sda1 /proc/self/cwd/mnt',
  ],
  ['mount -t ext4 -o rw /dev/sda1 /mnt/ ; umount /mnt', 'mount -t ext4 -o rw /dev/sda1 /proc/self/cwd/mnt/ ; umount /proc/self/cwd/mnt'],
  ['mount /dev/sda1 /proc/self/cwd/mnt', 'mount /dev/sda1 /proc/self/cwd/mnt'],
  ['mount /dev/sda1 /', 'mount /dev/sda1 /'],
  ['mount /dev/sda1 /etc', 'mount /dev/sda1 /etc'],
  ['mount /dev/sdb1 /mnt; cat /mnt/x', 'mount /dev/sdb1 /mnt; cat /mnt/x'],
])('%s', (line, led) => expect(new MountPoints().lead(line)).toBe(led));

test.each([
  ['echo "a line" >> /mnt/etc/x', 'echo "a line" >> /proc/self/cwd/mnt/etc/x'],
  ['echo a >>/mnt/etc/x;cat </mnt/etc/x', 'echo a >>/proc/self/cwd/mnt/etc/x;cat </proc/self/cwd/mnt/etc/x'],
  ['tail -n 1 "/mnt/etc/x" \'/mnt\'', 'tail -n 1 "/proc/self/cwd/mnt/etc/x" \'/proc/self/cwd/mnt\''],
  [
    "echo \"it is in /mnt/x\" '/mnt is where' it\\'s >> /mnt/etc/x",
    "echo \"it is in /mnt/x\" '/mnt is where' it\\'s >> /proc/self/cwd/mnt/etc/x",
  ],
  ['line="$line"\'/mnt/x\'', 'line="$line"\'/mnt/x\''],
  ['ls /mnt2 /srv/mnt /mnt-a/b', 'ls /mnt2 /srv/mnt /mnt-a/b'],
  ['cat /mnt/deep/x', 'cat /proc/self/cwd/mnt/deep/x'],
])('once something is mounted: %s', (line, led) => {
  const points = new MountPoints();
  points.lead('mount /dev/sda1 /mnt');
  points.lead('mount /dev/sda1 /mnt/deep');
  expect(points.lead(line)).toBe(led);
});

test('is nowhere that the session itself needs', () => {
  expect(['/mnt', '/media/usb', '/home/me/disk', '/tmp/a.b'].every(isMountable)).toBe(true);
  expect(['/', '/proc', '/proc/self/cwd/mnt', '/dev/x', '/usr/mnt', '/etc', 'mnt', '/a/../b', '/a b', "/a'b", ''].some(isMountable)).toBe(
    false,
  );
});
