import { commandSpec } from '../kit/command.js';

export const completionSpec = commandSpec({
  name: 'completion',
  summary: 'print completions of all commands for a shell',
  words: 'bash | zsh | fish',
  completes: { words: ['bash', 'zsh', 'fish'] },
  options: {
    words: {
      type: 'string',
      choices: ['nodes', 'images', 'runs'],
      value: 'KIND',
      describe: 'instead: the names there are now, one a line; what the completions ask for',
    },
  },
  examples: [
    ['eval "$(imaging completion bash)"', 'in ~/.bashrc; for zsh in ~/.zshrc, after compinit'],
    ['imaging completion fish > ~/.config/fish/completions/imaging.fish', 'for fish; then link imaging-load.fish and so on to it'],
  ],
});
