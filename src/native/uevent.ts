/** What happened to a device of this machine. */
export type DeviceEvent = {
  /** `add`, `remove`, `change`, `bind` ...; `lost`: more happened than could be told, so that everything must be looked at anew. */
  action: string;
  /** Below /sys, beginning with a slash. */
  path: string;
  /** `block`, `usb` ... */
  subsystem: string;
  /** As in /dev, `sdb1`; null for what has no node there. */
  name: string | null;
  /** All that was said, by its name: DEVTYPE, MAJOR, SEQNUM, DISKSEQ ... */
  properties: ReadonlyMap<string, string>;
};

/**
 * Reads a message of the kernel: `add@/devices/...`, then `KEY=value`, each ended by a zero byte. Returns null for what is
 * none, such as the messages of udev.
 */
export function parseUevent(bytes: Uint8Array): DeviceEvent | null {
  const [heading = '', ...lines] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split('\0');
  if (!/^[a-z]+@\//.test(heading)) return null;
  const properties = new Map(
    lines.flatMap((line): [string, string][] => {
      const at = line.indexOf('=');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : [];
    }),
  );
  const action = properties.get('ACTION');
  const path = properties.get('DEVPATH');
  const subsystem = properties.get('SUBSYSTEM');
  if (action === undefined || path === undefined || subsystem === undefined || heading !== `${action}@${path}`) return null;
  return { action, path, subsystem, name: properties.get('DEVNAME') ?? null, properties };
}

/** What is told when messages were lost. */
export const LOST: DeviceEvent = { action: 'lost', path: '/', subsystem: '', name: null, properties: new Map() };
