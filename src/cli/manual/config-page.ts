import { allKeys, freeSections, nodeKeys } from '../../config/schema.js';
import { bold, italic, literal, page, roff, tagged } from './roff.js';

/** The page `imaging.conf(5)`, from the schema. */
export function configPage(version: string): string {
  const sections = [...new Set(allKeys.map(({ section }) => section))];
  return page('imaging.conf', 5, version, [
    { title: 'NAME', body: ['imaging.conf \\- configuration of imaging'] },
    { title: 'DESCRIPTION', body: description() },
    ...sections.map((section) => ({
      title: `SECTION [${section}]`,
      body: allKeys
        .filter((spec) => spec.section === section)
        .flatMap((spec) => [
          ...tagged(`${bold(spec.key)} = ${spec.default === '' ? italic('(empty)') : roff(spec.default)}`, `${spec.meaning}.`),
          '.br',
          roff(`Allowed: ${spec.kind.allowed}.`),
        ]),
    })),
    {
      title: 'OTHER SECTIONS',
      body: [
        ...Object.entries(freeSections).flatMap(([section, meaning]) =>
          tagged(bold(`[${section}]`), `${meaning}. They are written @name where nodes are given.`),
        ),
        ...tagged(
          bold('[node SPECS]'),
          `what differs for single nodes: ${nodeKeys.map(({ section, key }) => `${section}.${key}`).join(', ')}, without their sections.`,
        ),
      ],
    },
    {
      title: 'FILES',
      body: [
        ...tagged(italic('/etc/imaging.conf'), "the site's."),
        ...tagged(italic('~/.imaging.conf'), "the user's."),
        ...tagged(italic('./imaging.conf'), "the current folder's."),
      ],
    },
    {
      title: 'EXAMPLE',
      body: literal([
        '[networking]',
        'bandwidth = 50',
        'bandwidth.faraday = 500     ; on the machine faraday only',
        '',
        '[groups]',
        'usrp = 1,5,9-11',
        '',
        '[node 4,18]',
        'timeout_before_telnet = 160',
      ]),
    },
    { title: 'SEE ALSO', body: [`${bold('imaging')}(1), ${bold('imaging-config')}(1), ${bold('imaging-doctor')}(1)`] },
  ]);
}

function description(): string[] {
  return [
    roff(
      'Read in this order, later files override single values: /etc/imaging.conf, ~/.imaging.conf, ./imaging.conf. The variable IMAGING_CONFIG names other files instead.',
    ),
    '.PP',
    roff(
      "Sections in brackets, then key = value, one a line; comments start with # or ;. Quotes around a whole value are taken off. Times are in seconds. A key with a dot and a machine's short name, as in bandwidth.faraday, counts on that machine alone, and beats the plain key there.",
    ),
    '.PP',
    roff("'imaging-config' shows every value and the file it comes from. What follows each key below is its default."),
  ];
}
