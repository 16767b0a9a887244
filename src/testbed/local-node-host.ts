import { join } from 'node:path';
import type { Host } from '../util/host.js';
import { builtinShell } from './builtin-shell.js';
import { CmcServers } from './cmc-servers.js';
import type { NodeDisk } from './disk.js';
import { diskPrograms } from './disk-programs.js';
import { EmulatedNode, type NodeServices, type NodeSpec } from './emulated-node.js';
import { imagezip } from './imagezip-program.js';
import { mountPrograms } from './mount-program.js';
import { netcat } from './netcat.js';
import type { NodeHost } from './node-host.js';
import type { NodePhase } from './node-machine.js';
import { procCat } from './proc-files.js';
import type { Program } from './program.js';
import { realShell } from './real-shell.js';
import type { ShellProgram } from './shell-program.js';
import { SshServers } from './ssh-servers.js';
import { readStamp } from './stamp.js';

export type LocalNodeHostOptions = {
  host: Host;
  /** The machine's shell that sessions use, or null for the built-in one. */
  shellProgram: ShellProgram | null;
  /** Sessions' folders go under this one. */
  sessionsFolder: string;
  /** The node's frisbee. */
  frisbee(spec: NodeSpec, disk: NodeDisk, crash: () => void): Program;
  /** Ends whatever frisbees share. */
  closeFrisbee(): Promise<void>;
  /** A private key for all sshds, as PEM; undefined: made when needed. */
  sshHostKey?: string;
  onPhase?(name: string, phase: NodePhase): void;
  onProblem?(text: string): void;
};

/** Runs nodes in this process. */
export function localNodeHost(options: LocalNodeHostOptions): NodeHost {
  const problems: string[] = [];
  const nodes: EmulatedNode[] = [];
  const services: NodeServices = {
    cmc: new CmcServers(),
    ssh: new SshServers(() => options.sshHostKey),
    shell: (spec, disk, crash, uptimeSeconds) => {
      const { mount, umount, mkdir } = mountPrograms(disk.path, options.host);
      const programs = new Map<string, Program>([
        ['frisbee', options.frisbee(spec, disk, crash)],
        ['imagezip', imagezip(disk.path)],
        ['nc', netcat(spec.addresses.controlIp)],
        ['mount', mount],
        ['umount', umount],
        ['mkdir', mkdir],
      ]);
      const { shellProgram: program, host } = options;
      if (!program) return builtinShell(new Map([...programs, ['cat', procCat(uptimeSeconds)], ...diskPrograms(disk.path)]));
      return realShell({
        host,
        program,
        programs,
        uptimeSeconds,
        diskPath: disk.path,
        folder: join(options.sessionsFolder, spec.addresses.name),
        hostname: spec.addresses.name,
      });
    },
    stamp: readStamp,
    phaseChanged: (name, phase) => options.onPhase?.(name, phase),
    problem: (text) => {
      options.onProblem?.(text);
      if (problems.length < MAX_PROBLEMS) problems.push(text);
    },
  };
  return {
    start: async (spec) => {
      const node = await EmulatedNode.start(spec, services);
      nodes.push(node);
      const { number, name, controlIp } = spec.addresses;
      return { number, name, controlIp, diskPath: spec.diskPath, phase: () => node.phase };
    },
    close: async () => {
      for (const node of nodes) node.close();
      await services.cmc.close();
      await options.closeFrisbee();
    },
    problems: () => problems,
  };
}

const MAX_PROBLEMS = 1000;
