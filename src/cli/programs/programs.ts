import { runFrisbee } from '../../programs/frisbee.js';
import { runFrisbeed } from '../../programs/frisbeed.js';
import { runImageunzip } from '../../programs/imageunzip.js';
import { runImagezip } from '../../programs/imagezip.js';
import type { ProgramModule } from '../kit/command.js';

/** The drop-in programs; their options, output and exit codes are those of the programs they stand in for. */
export const programs: Record<'frisbee' | 'frisbeed' | 'imagezip' | 'imageunzip', ProgramModule['run']> = {
  frisbee: runFrisbee,
  frisbeed: runFrisbeed,
  imagezip: runImagezip,
  imageunzip: runImageunzip,
};
