import { commandSpec } from '../kit/command.js';

export const frisbeeSpec = programSpec('frisbee', 'receive an image from a frisbee server, as the program of that name does');
export const frisbeedSpec = programSpec('frisbeed', 'serve an image to frisbee clients, as the program of that name does');
export const imagezipSpec = programSpec('imagezip', 'make an image of a disk, as the program of that name does');
export const imageunzipSpec = programSpec('imageunzip', 'write an image to a disk, as the program of that name does');

function programSpec(name: string, summary: string) {
  return commandSpec({ name, aliases: [name], summary, words: '...', completes: ['files'], options: {}, examples: [] });
}
