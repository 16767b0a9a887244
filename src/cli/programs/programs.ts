import { runFrisbee } from '../../programs/frisbee.js';
import { runFrisbeed } from '../../programs/frisbeed.js';
import { runImageunzip } from '../../programs/imageunzip.js';
import { runImagezip } from '../../programs/imagezip.js';
import type { ProgramModule } from '../kit/command.js';

/** The drop-in programs; their options, output and exit codes are those of the programs they stand in for. */
export const frisbee: ProgramModule = { run: runFrisbee };
export const frisbeed: ProgramModule = { run: runFrisbeed };
export const imagezip: ProgramModule = { run: runImagezip };
export const imageunzip: ProgramModule = { run: runImageunzip };
