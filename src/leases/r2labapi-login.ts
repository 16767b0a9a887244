import { UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { LeaseSettings } from './backend.js';
import { isObject, isSomeText } from '../util/json.js';
import { detailOf, garbled, statusFailure, type Rest, type RestAnswer, type RestCall } from './rest.js';

const HOW =
  'set R2LABAPI_EMAIL and R2LABAPI_PASSWORD, or email and password, or token, in section [leases] of a file that only you may read';

type Account = { email: string; password: string };

/**
 * Sends calls with a token: the configured one, else that of a login. When the server says 401 and there is a login,
 * that is done once more: tokens expire. Rejects with a UserError when there is no way in.
 */
export function createAuthorized(
  rest: Rest,
  where: string,
  settings: LeaseSettings,
  env: Host['env'],
): (call: RestCall, signal: AbortSignal) => Promise<RestAnswer> {
  const account = accountOf(settings, env);
  let token: string | null = settings.token;
  return async (call, signal) => {
    const fresh = token === null;
    token ??= await login(rest, where, account, signal);
    const answer = await rest.send({ ...call, token }, signal);
    if (answer.status !== 401) return answer;
    if (fresh || account === null) throw refusedToken(where, answer, account);
    token = await login(rest, where, account, signal);
    const second = await rest.send({ ...call, token }, signal);
    if (second.status === 401) throw refusedToken(where, second, account);
    return second;
  };
}

function accountOf(settings: LeaseSettings, env: Host['env']): Account | null {
  const email = env.R2LABAPI_EMAIL || settings.email;
  const password = env.R2LABAPI_PASSWORD || settings.password;
  return email && password ? { email, password } : null;
}

async function login(rest: Rest, where: string, account: Account | null, signal: AbortSignal): Promise<string> {
  if (account === null) throw new UserError('environment', `${where} wants to know who you are`, HOW);
  const asked = `POST ${where}/auth/login`;
  const answer = await rest.send({ method: 'POST', path: '/auth/login', body: account }, signal);
  if ([400, 401, 403, 422].includes(answer.status))
    throw new UserError('refused', `${where} does not let ${account.email} in: ${detailOf(answer.text)}`, HOW);
  if (answer.status < 200 || answer.status > 299) throw statusFailure(asked, answer);
  const token = isObject(answer.body) ? answer.body.access_token : null;
  if (!isSomeText(token) || /[^\x21-\x7e]/.test(token)) throw garbled(asked, 'something without an access_token'); // never its text: it may hold the token
  return token;
}

function refusedToken(where: string, answer: RestAnswer, account: Account | null): UserError {
  const whose = account === null ? 'the token of leases.token' : `the login of ${account.email}`;
  return new UserError('refused', `${where} does not accept ${whose} (${detailOf(answer.text)}); it may have expired`, HOW);
}
