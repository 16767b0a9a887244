/** The person looks no longer: has pressed q. */
export class Left extends Error {}
