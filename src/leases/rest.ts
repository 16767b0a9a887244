import type { Dispatcher } from 'undici';
import { withDeadline } from '../util/abort.js';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { limitedText } from '../util/limited-text.js';
import { printable } from '../util/text.js';
import { Agent, request } from '../util/http.js';
import { fail } from './failures.js';

export type RestOptions = {
  baseUrl: string /** For one request, from connecting to the last byte. */;
  timeoutMs: number;
  verifyTls: boolean;
};

export type RestCall = { method: 'GET' | 'POST' | 'DELETE'; path: string; body?: unknown; token?: string | null };

/** `body` is the JSON of a 2xx answer, undefined when that was empty or for another status; `text` is what was sent. */
export type RestAnswer = { status: number; body: unknown; text: string };

/**
 * A JSON service. `send` rejects with a Failure `lease-api-refused`, `-unreachable`, `-silent`, `-closed`, `-tls` or
 * `-garbled` that names the request, or with the signal's reason; a status is for the caller to judge.
 */
export type Rest = { send(call: RestCall, signal: AbortSignal): Promise<RestAnswer>; close(): Promise<void> };

const MAX_BODY_BYTES = 4 << 20;
const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN']);
const CHECK_URL = 'is leases.url right, and the lease server up?';

export function createRest({ baseUrl, timeoutMs, verifyTls }: RestOptions): Rest {
  const base = baseUrl.replace(/\/+$/, '');
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: timeoutMs, rejectUnauthorized: verifyTls } });
  const send = async (call: RestCall, signal: AbortSignal): Promise<RestAnswer> => {
    const asked = `${call.method} ${base}${call.path}`;
    const late = (): Failure => fail('lease-api-silent', `${asked} got no answer within ${timeoutMs / 1000} s`, CHECK_URL);
    return withDeadline(signal, timeoutMs, late, async (inner) => {
      try {
        // reset: no connection is kept, since one that the server has dropped meanwhile would fail the next request
        const options = { method: call.method, headers: headersOf(call), dispatcher: agent, signal: inner, reset: true };
        const response = await request(
          base + call.path,
          call.body === undefined ? options : { ...options, body: JSON.stringify(call.body) },
        );
        return parse(asked, response.statusCode, await textOf(asked, response.body));
      } catch (error) {
        if (error instanceof Failure || inner.aborted) throw error;
        throw failureOf(asked, error);
      }
    });
  };
  return { send, close: () => agent.destroy() };
}

function headersOf({ body, token }: RestCall): Record<string, string> {
  return {
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
}

async function textOf(asked: string, body: Dispatcher.ResponseData['body']): Promise<string> {
  const { text, isCut } = await limitedText(body, MAX_BODY_BYTES);
  if (isCut) throw fail('lease-api-garbled', `${asked} was answered with more than ${MAX_BODY_BYTES >> 20} MiB`, CHECK_URL);
  return text;
}

function parse(asked: string, status: number, text: string): RestAnswer {
  if (status < 200 || status > 299 || text.trim() === '') return { status, body: undefined, text };
  try {
    const body: unknown = JSON.parse(text);
    return { status, body, text };
  } catch (cause) {
    throw garbled(asked, text, { cause });
  }
}

export function garbled(asked: string, text: string, options?: ErrorOptions): Failure {
  return fail('lease-api-garbled', `${asked} was answered ${excerpt(text)}, which is not what such a server says`, CHECK_URL, options);
}

/** For a status that is neither success nor one with a meaning of its own. */
export function statusFailure(asked: string, { status, text }: RestAnswer): Failure {
  return fail(
    `lease-api-http-${status}`,
    `${asked} was answered HTTP ${status}${text.trim() === '' ? '' : `: ${detailOf(text)}`}`,
    CHECK_URL,
  );
}

/** The server's own reason: `detail` of a JSON answer, else the beginning of its text. */
export function detailOf(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'detail' in parsed) {
      return typeof parsed.detail === 'string' ? excerpt(parsed.detail) : excerpt(JSON.stringify(parsed.detail));
    }
  } catch {
    // not JSON: the text itself
  }
  return excerpt(text);
}

function excerpt(text: string): string {
  const line = printable(text.trim());
  if (line === '') return 'nothing';
  return JSON.stringify(line.length <= 160 ? line : `${line.slice(0, 160)}...`);
}

function failureOf(asked: string, error: unknown): Failure {
  if (error instanceof TypeError || error instanceof ReferenceError) throw error; // a defect of ours, not of the server
  const code = systemCode(error) ?? '';
  const cause = { cause: error };
  if (code === 'ECONNREFUSED') return fail('lease-api-refused', `${asked}: nothing listens there`, CHECK_URL, cause);
  if (code === 'ETIMEDOUT' || code === 'UND_ERR_CONNECT_TIMEOUT')
    return fail('lease-api-silent', `${asked} got no connection`, CHECK_URL, cause);
  if (UNREACHABLE.has(code)) return fail('lease-api-unreachable', `${asked} found no way there (${code})`, CHECK_URL, cause);
  if (/CERT|SELF_SIGNED|ISSUER|LEAF_SIGNATURE|ALTNAME/.test(code)) {
    return fail(
      'lease-api-tls',
      `${asked}: its certificate is not valid (${code}: ${messageOf(error)})`,
      'add its authority with NODE_EXTRA_CA_CERTS; or set verify_tls = no in section [leases] if nobody between you and the server is to be feared',
      cause,
    );
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL'))
    return fail('lease-api-tls', `${asked}: no TLS there (${code})`, 'http or https in leases.url?', cause);
  if (code.startsWith('HPE_')) return fail('lease-api-garbled', `${asked} was answered with something that is not HTTP`, CHECK_URL, cause);
  return fail('lease-api-closed', `${asked} lost its connection (${code || messageOf(error)})`, CHECK_URL, cause);
}
