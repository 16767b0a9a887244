/** Why a whole run was stopped from outside; carries the exit code that the signal earns. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signalName: string;
  readonly exitCode: number;

  constructor(signalName: string, exitCode: number) {
    super(`interrupted by ${signalName}`);
    this.signalName = signalName;
    this.exitCode = exitCode;
  }
}
