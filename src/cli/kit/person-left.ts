/** Nobody looks any longer: the person has pressed q, or the reader of the lines has gone. */
export class PersonLeft extends Error {}
