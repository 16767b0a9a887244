import { existsSync } from 'node:fs';
import { createPinger } from '../../../workflows/steps/ping.js';
import { workerPath } from '../../../util/dist.js';
import { ok, problem, warning, type Check } from '../finding.js';
import { findProgram } from '../files.js';

export const engine = {
  name: 'engine',
  needs: 'configuration',
  run: async ({ config, host }) => {
    if (config.frisbee.engine === 'embedded') {
      const worker = workerPath('frisbee-server');
      return [
        existsSync(worker)
          ? ok('embedded: the server inside imaging')
          : problem(
              `the server's program ${worker} is missing`,
              'the installation is not complete',
              'install imaging again; in a checkout: npm run build',
            ),
      ];
    }
    const { server } = config.frisbee;
    const path = await findProgram(server, host.env.PATH);
    if (path !== null) return [ok(`frisbeed: ${path}`)];
    const where = server.includes('/') ? `${server} is no program that can be run` : `there is no program ${server} in PATH`;
    return [
      problem(
        `frisbee.engine = frisbeed, and ${where}`,
        'every load would end at once',
        'install it, name it with its path in frisbee.server, or set engine = embedded in section [frisbee]',
      ),
    ];
  },
} satisfies Check;

export const ping = {
  name: 'ping',
  needs: 'configuration',
  run: async ({ config, host }, signal) => {
    const command = config.networking.pingCommand;
    if (command === null) return [ok('none: whether a reset took is told by telnet and ssh alone')];
    const [program = ''] = command;
    const cause = 'a reset that the card only pretended is noticed later, by telnet and ssh alone';
    if ((await findProgram(program, host.env.PATH)) === null)
      return [
        warning(
          `networking.ping_command: there is no program ${program}`,
          cause,
          'apt install iputils-ping, or set ping_command in section [networking]; empty means no ping',
        ),
      ];
    const warnings: string[] = [];
    const pinger = createPinger(command, host, (text) => warnings.push(text));
    try {
      await pinger.answers('127.0.0.1', signal);
    } finally {
      pinger.close();
    }
    const [text] = warnings;
    return [
      text === undefined
        ? ok(command.join(' '))
        : warning(
            text,
            cause,
            `try it by hand: ${command.join(' ').replaceAll('{ip}', '127.0.0.1')}; many systems let only root or members of a group ping: sysctl net.ipv4.ping_group_range`,
          ),
    ];
  },
} satisfies Check;
