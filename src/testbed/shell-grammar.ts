/** One simple command. In `words`, NUL stands for the exit status of the command before (`$?`). */
export type Command = { words: string[]; hidesOutput: boolean; hidesErrors: boolean };

/** A command and what the status before it must be for it to run. */
export type ListItem = { when: 'always' | 'success' | 'failure'; command: Command };

type Token = { type: 'word'; text: string } | { type: 'operator'; text: string } | { type: 'redirect'; text: string };

/**
 * Reads one line of the little shell: words with '…', "…" and backslashes, `$?`, lists with `;` `&&` `||`, and the redirections
 * `2>&1`, `>/dev/null`, `2>/dev/null`, `</dev/null`. Returns what is wrong, as text, when there is more than that.
 */
export function parseCommandLine(line: string): ListItem[] | string {
  const tokens = tokenize(line);
  if (typeof tokens === 'string') return tokens;
  const items: ListItem[] = [];
  let when: ListItem['when'] = 'always';
  let command: Command = { words: [], hidesOutput: false, hidesErrors: false };
  for (const token of [...tokens, { type: 'operator', text: ';' } as const]) {
    if (token.type === 'word') command.words.push(token.text);
    else if (token.type === 'redirect') {
      if (!redirect(command, token.text)) return `cannot redirect: ${token.text}`;
    } else {
      if (command.words.length > 0) items.push({ when, command });
      else if (token.text !== ';') return `syntax error: unexpected "${token.text}"`;
      when = token.text === '&&' ? 'success' : token.text === '||' ? 'failure' : 'always';
      command = { words: [], hidesOutput: false, hidesErrors: false };
    }
  }
  return items;
}

function redirect(command: Command, text: string): boolean {
  switch (text.replaceAll(' ', '')) {
    case '2>&1':
      command.hidesErrors = command.hidesOutput;
      return true;
    case '</dev/null':
      return true;
    case '>/dev/null':
    case '1>/dev/null':
      command.hidesOutput = true;
      return true;
    case '2>/dev/null':
      command.hidesErrors = true;
      return true;
    default:
      return false;
  }
}

const BLANK = /[ \t]+/y;
const OPERATOR = /&&|\|\||;/y;
const REDIRECT = /[012]?[<>]+[ \t]*[^\s;&|]*(?:&\d)?/y;
const PLAIN = /[^\s'"\\$;&|<>()`]+/y;
const SINGLE = /'([^']*)'/y;
const DOUBLE = /"((?:[^"\\$`]|\\.|\$\?)*)"/y;
const ESCAPED = /\\(.)/y;
const STATUS = /\$\?/y;

function tokenize(line: string): Token[] | string {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(line);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const wordPart = (): string | null => {
    const double = match(DOUBLE);
    if (double) return (double[1] ?? '').replaceAll('$?', '\0').replaceAll(/\\(["\\$`])/g, '$1');
    if (match(STATUS)) return '\0';
    const quoted = match(SINGLE) ?? match(ESCAPED);
    return quoted ? (quoted[1] ?? '') : (match(PLAIN)?.[0] ?? null);
  };
  while (at < line.length) {
    if (match(BLANK)) continue;
    const operator = match(OPERATOR);
    const redirection = operator ? null : match(REDIRECT);
    if (operator ?? redirection) {
      tokens.push(operator ? { type: 'operator', text: operator[0] } : { type: 'redirect', text: redirection?.[0] ?? '' });
      continue;
    }
    let text: string | null = null;
    for (let part = wordPart(); part !== null; part = wordPart()) text = (text ?? '') + part;
    if (text === null) return `the built-in shell does not know: ${line.slice(at)}`;
    tokens.push({ type: 'word', text });
  }
  return tokens;
}
