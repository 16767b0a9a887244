import type { AnsweringSystem, LoadedResult, RunningImage, TargetResult, Verification, WhichAnswer } from '../events/results.js';
import type { TargetState } from '../events/reducer.js';
import { printable } from '../util/text.js';

/** What came of a target, in words; empty when there is nothing to tell but that it is done. */
export function resultText(result: TargetResult | null, target: string): string {
  if (result === null) return '';
  switch (result.type) {
    case 'loaded':
      return loadedText(result, target);
    case 'already-there':
      return result.verifiedAt === null
        ? 'already there: the running system bears the stamp of the image'
        : `already there: loaded and read back ${new Date(result.verifiedAt).toISOString()}, running since`;
    case 'saved':
      return `${megabytes(result.bytes)} in ${result.path}`;
    case 'up':
      return systemText(result);
    case 'card':
      return printable(result.answer.trim());
    case 'which':
      return answerText(result);
    case 'words':
      return result.words;
    default:
      return ''; // of a later version
  }
}

/** The same with what did not go as wished. */
export function doneText({ name, result, remarks }: Pick<TargetState, 'name' | 'result' | 'remarks'>): string {
  const text = resultText(result, name);
  return [...(text === '' ? [] : [text]), ...remarks].join('; ');
}

function loadedText({ bytes, writeMs, verification, system }: LoadedResult, target: string): string {
  const rate = (bytes / 1e6 / (writeMs / 1000)).toFixed(1);
  return [
    `${megabytes(bytes)} written at ${rate} MB/s`,
    ...(verification === null ? [] : [verificationText(verification, target)]),
    ...(system === null ? [] : [`${systemText(system)}${imageText(system)}`]),
  ].join('; ');
}

function verificationText(verification: Verification, target: string): string {
  if (!verification.verified) return `not verified: the PXE system of ${target} has no ${verification.missing}`;
  const { bytes, ofBytes, ranges, fromMemory } = verification;
  const place = bytes === ofBytes ? `all ${megabytes(ofBytes)}` : `${ranges} ranges, ${megabytes(bytes)} of ${megabytes(ofBytes)}`;
  return `verified: ${place} read back${fromMemory ? ', perhaps from memory' : ''}`;
}

function systemText({ via, uptimeMs }: AnsweringSystem): string {
  return `${via} OK, ${uptimeMs === null ? 'when it booted is not known' : `up ${Math.round(uptimeMs / 1000)} s`}`;
}

function imageText({ image, stamp }: RunningImage): string {
  return stamp === null ? '' : `, running ${image ?? `'${stamp}'`}`;
}

/** `fedora-21 (saved 2026-11-21 by alice, load run R)`; `fedora-21 (on its disk: loaded 2026-11-26 09:15 by bob, run R, read back; ssh ... refused the connection)`. */
export function answerText({ image, source, saved, load, cleanSince, why }: WhichAnswer): string {
  if (source === 'stamp') {
    const parts = [...(saved ? [`saved ${saved.savedAt.slice(0, 10)} by ${saved.by}`] : []), ...(load ? [`load run ${load.run}`] : [])];
    return parts.length > 0 ? `${image} (${parts.join(', ')})` : image;
  }
  const parts = load
    ? [
        `loaded ${minute(load.at)} by ${load.by}`,
        `run ${load.run}`,
        load.verify === 'none' ? 'not read back' : 'read back',
        ...(cleanSince === false ? ['reset or switched off since'] : []),
      ]
    : [];
  return `${image} (on its disk: ${parts.join(', ')}${why === null ? '' : `; ${why}`})`;
}

/** `2026-11-26 09:15`, local time. */
function minute(atMs: number): string {
  return new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString().slice(0, 16).replace('T', ' ');
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
