/** The files a boot configuration of pxelinux names, as it writes them; null when the text is no such configuration. */
export function bootFiles(text: string): { kernels: string[]; initrds: string[] } | null {
  if (text.includes('\0')) return null;
  const kernels: string[] = [];
  const initrds: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [word = '', ...rest] = line.trim().split(/\s+/);
    const value = rest.join(' ');
    if (/^(kernel|linux|com32|boot|bss|pxe)$/i.test(word) && rest[0] !== undefined) kernels.push(rest[0]);
    if (/^initrd$/i.test(word)) initrds.push(...value.split(','));
    if (/^append$/i.test(word)) initrds.push(...(/(?:^|\s)initrd=(\S+)/i.exec(value)?.[1]?.split(',') ?? []));
  }
  return kernels.length === 0 ? null : { kernels, initrds };
}
