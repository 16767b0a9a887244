import { getSystemErrorName } from 'node:util';

/** What Node.js would throw for a failed system call: `code` is the error's name, as EINVAL. `errno` is positive. */
export function systemError(errno: number, syscall: string): Error & { code: string } {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: -errno, syscall });
}
