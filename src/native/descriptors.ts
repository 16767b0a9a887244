import { closeSync, openSync } from 'node:fs';
import type { Library } from './library.js';
import { systemError } from './system-error.js';

const O_CLOEXEC = 0x80000;

/**
 * Makes descriptors that system calls gave ones of Node.js, to be closed by `closeSync`: it closes them when their thread
 * is terminated, while others would stay open, and their ports taken, as long as the process lives.
 */
export function descriptors(library: Library): (fd: number) => number {
  const dup3 = library.func('int dup3(int, int, int)');
  const close = library.func('int close(int)');
  return (fd) => {
    const known = openSync('/', 'r'); // whatever it is: Node.js keeps its number, which the other one then takes
    const result = dup3(fd, known, O_CLOEXEC);
    const errno = library.errno();
    close(fd);
    if (result >= 0) return known;
    closeSync(known);
    throw systemError(errno, 'dup3');
  };
}
