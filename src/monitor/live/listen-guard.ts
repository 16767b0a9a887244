import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** What a request is refused with. */
export type Refusal = { status: 400 | 403; why: string };

/**
 * Why a request is not answered, or null. A page from elsewhere, in somebody's browser, must not read what is meant for this
 * machine or network: its Origin is another one; and when its name was made to mean our address (DNS rebinding), its
 * Host is a name that is not ours. `names`: those that are, besides localhost and addresses.
 */
export function refusalOf({ url = '', headers }: Pick<IncomingMessage, 'url' | 'headers'>, names: readonly string[]): Refusal | null {
  if (!/^\/(?!\/)/.test(url)) return { status: 400, why: 'the path must begin with one /' };
  const { origin, host } = headers;
  const at = host === undefined ? null : hostOf(host);
  if (at === null) return { status: 400, why: 'a Host header is needed' };
  const isOurs = isIP(at) !== 0 || at === 'localhost' || names.some((name) => name.toLowerCase() === at);
  if (!isOurs)
    return {
      status: 403,
      why: 'this Host is not served: use an address, localhost, the name given to --listen, or one of monitor.listen_names',
    };
  if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === authority(host ?? '')))
    return { status: 403, why: 'pages of another origin are not served' };
  return null;
}

/** The name or address of a Host header, in lower case and without port, brackets and a last dot; null when it is none. */
function hostOf(host: string): string | null {
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.test(host) || !URL.canParse(`http://${host}/`)) return null;
  return new URL(`http://${host}/`).hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function authority(host: string): string {
  return URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`).host : '';
}
