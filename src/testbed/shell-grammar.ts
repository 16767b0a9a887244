/** A command, simple or (with `group`) a list in braces. In `words`, NUL stands for the exit status of the command before (`$?`). */
export type Command = { words: string[]; group: ListItem[] | null; hidesOutput: boolean; hidesErrors: boolean };

/** A command, or several joined by pipes, and what the status before it must be for it to run. */
export type ListItem = { when: 'always' | 'success' | 'failure'; pipeline: Command[] };

type Token =
  | { type: 'word'; text: string /** Not quoted, not even in part. */; isPlain: boolean }
  | { type: 'operator'; text: string }
  | { type: 'redirect'; text: string };

/**
 * Reads one line of the little shell: words with '…', "…" and backslashes, `$?`, lists with `;` `&&` `||`, pipes, lists in
 * braces, and the redirections `2>&1`, `>/dev/null`, `2>/dev/null`, `</dev/null`. Returns what is wrong, as text, when there is
 * more than that.
 */
export function parseCommandLine(line: string): ListItem[] | string {
  const tokens = tokenize(line);
  if (typeof tokens === 'string') return tokens;
  const parser = new Parser(tokens);
  const items = parser.list(false);
  return typeof items === 'string' ? items : (parser.rest() ?? items);
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** What is left over, as an error, or null. */
  rest(): string | null {
    const token = this.#tokens[this.#at];
    return token ? unexpected(token) : null;
  }

  /** Up to the end of the line or the brace that closes this list. */
  list(inBraces: boolean): ListItem[] | string {
    const items: ListItem[] = [];
    let when: ListItem['when'] = 'always';
    for (;;) {
      const end = !this.#tokens[this.#at] || (inBraces && this.#isBrace('}'));
      if (end && when === 'always') return items;
      if (when === 'always' && this.#operator(';')) continue;
      const pipeline = this.#pipeline();
      if (typeof pipeline === 'string') return pipeline;
      items.push({ when, pipeline });
      if (this.#operator('&&')) when = 'success';
      else if (this.#operator('||')) when = 'failure';
      else if (this.#operator(';') || !this.#tokens[this.#at]) when = 'always';
      else return items; // told by who reads on
    }
  }

  #pipeline(): Command[] | string {
    const commands: Command[] = [];
    do {
      const command = this.#command();
      if (typeof command === 'string') return command;
      commands.push(command);
    } while (this.#operator('|'));
    return commands;
  }

  #command(): Command | string {
    const command: Command = { words: [], group: null, hidesOutput: false, hidesErrors: false };
    if (this.#isBrace('}')) return unexpected({ type: 'operator', text: '}' });
    if (this.#isBrace('{')) {
      this.#at++;
      const group = this.list(true);
      if (typeof group === 'string') return group;
      if (!this.#isBrace('}')) return this.rest() ?? 'syntax error: unexpected end of line (expecting "}")';
      this.#at++;
      command.group = group;
    }
    for (let token = this.#tokens[this.#at]; token && token.type !== 'operator'; token = this.#tokens[++this.#at]) {
      if (token.type === 'redirect') {
        if (!redirect(command, token.text)) return `cannot redirect: ${token.text}`;
      } else if (command.group) return unexpected(token);
      else command.words.push(token.text);
    }
    return command.words.length > 0 || command.group ? command : (this.rest() ?? 'syntax error: unexpected end of line');
  }

  #operator(text: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.type !== 'operator' || token.text !== text) return false;
    this.#at++;
    return true;
  }

  #isBrace(text: '{' | '}'): boolean {
    const token = this.#tokens[this.#at];
    return token?.type === 'word' && token.isPlain && token.text === text;
  }
}

function unexpected(token: Token): string {
  return `syntax error: unexpected "${token.text}"`;
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
const OPERATOR = /&&|\|\||[;|]/y;
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
    const start = at;
    let text: string | null = null;
    for (let part = wordPart(); part !== null; part = wordPart()) text = (text ?? '') + part;
    if (text === null) return `the built-in shell does not know: ${line.slice(at)}`;
    tokens.push({ type: 'word', text, isPlain: text === line.slice(start, at) });
  }
  return tokens;
}
