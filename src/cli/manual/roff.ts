/** Text as roff takes it literally: no escapes, no hyphens that become typographic, no line that looks like a request. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('"', '\\(dq')
    .replace(/^\./gm, '\\&.');
}

export type Section = { title: string /** Lines of roff. */; body: readonly string[] };

/** A page of the `man` macros; the same input gives the same bytes, so there is no date. */
export function page(name: string, volume: 1 | 5, version: string, sections: readonly Section[]): string {
  const head = [
    `.\\" made from imaging's tables of commands and settings: do not edit`,
    `.TH ${roff(name.toUpperCase())} ${volume} "" "imaging ${roff(version)}" "imaging"`,
  ];
  return `${[...head, ...sections.flatMap(({ title, body }) => [`.SH ${title}`, ...body])].join('\n')}\n`;
}

/** A paragraph with a tag in front: `tag` is roff already. */
export function tagged(tag: string, text: string): string[] {
  return ['.TP', tag, roff(text)];
}

export function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${roff(text)}\\fR`;
}

/** Lines that are shown as they are. */
export function literal(lines: readonly string[]): string[] {
  return ['.nf', ...lines.map(roff), '.fi'];
}
