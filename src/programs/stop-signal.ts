import { constants } from 'node:os';

/** Which signal an abort stands for: its reason's text names it (`SIGHUP`), else it is taken for SIGTERM. */
export function signalName(signal: AbortSignal): 'SIGINT' | 'SIGTERM' | 'SIGHUP' {
  const reason: unknown = signal.reason;
  const named = typeof reason === 'object' && reason !== null && 'signal' in reason ? String(reason.signal) : '';
  const text = `${named} ${reason instanceof Error ? reason.message : String(reason)}`;
  return (['SIGHUP', 'SIGINT', 'SIGTERM'] as const).find((name) => text.includes(name)) ?? 'SIGTERM';
}

/** The exit code of a program that such a signal killed. */
export function exitCodeOfSignal(signal: AbortSignal): number {
  return 128 + constants.signals[signalName(signal)];
}
