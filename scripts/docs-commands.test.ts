/**
 * The commands found in a document are those a reader would type.
 */
import { describe, expect, test } from '@jest/globals';

import { commandsOf, DEADLINE_SECONDS } from './docs-commands.ts';

const fence = '```';
const texts = (markdown: string) => commandsOf(markdown).map(({ text }) => text);

describe('the commands of a document', () => {
  test('are those of its shell blocks, in order, with the lines they stand on', () => {
    const markdown = `# Title\n\n${fence}sh\nnpm test\n${fence}\n\ntext\n\n${fence}bash\n\nls\npwd\n${fence}\n`;
    expect(commandsOf(markdown)).toEqual([
      { text: 'npm test', line: 4, deadlineSeconds: DEADLINE_SECONDS, ends: 'well' },
      { text: 'ls', line: 11, deadlineSeconds: DEADLINE_SECONDS, ends: 'well' },
      { text: 'pwd', line: 12, deadlineSeconds: DEADLINE_SECONDS, ends: 'well' },
    ]);
  });

  test('are not what stands in blocks of other languages or of none', () => {
    expect(texts(`${fence}yaml\nkind: X\n${fence}\n${fence}\nnpm test\n${fence}\n~~~json\n{}\n~~~\n`)).toEqual([]);
  });

  test('leave comments out', () => {
    expect(texts(`${fence}sh\n# first this\nls # then that\n${fence}\n`)).toEqual(['ls # then that']);
  });

  test('are in a console block what stands behind a prompt', () => {
    expect(texts(`${fence}console\n$ kubectl get otx\nNAME   FLOW\n$ ls \\\n>   -l\n${fence}\n`)).toEqual([
      'kubectl get otx',
      'ls \\\n  -l',
    ]);
  });

  test.each([
    ['a line goes on after a backslash', 'curl \\\n  -s \\\n  http://127.0.0.1'],
    ['a quote is open', "curl -d '{\n}'"],
    ['a here-document is open', 'kubectl apply -f - <<EOT\nkind: X\nEOT'],
    ['a loop is open', 'for n in 1 2; do\n  echo $n\ndone'],
    ['a list goes on', 'true &&\n  false'],
  ])('go on where %s', (_, command) => {
    expect(texts(`${fence}sh\n${command}\npwd\n${fence}\n`)).toEqual([command, 'pwd']);
  });

  test('of an indented block, as in a list, lose their indent', () => {
    expect(texts(`1. First:\n   ${fence}sh\n   npm test\n   ${fence}\n`)).toEqual(['npm test']);
  });
});

describe('a marker', () => {
  const marked = (marker: string) => commandsOf(`<!-- docs-check: ${marker} -->\n${fence}sh\nls\n${fence}\n`)[0];

  test('skips a block, with the reason why', () => {
    expect(marked('skip, needs a cluster')?.skip).toBe('needs a cluster');
  });

  test('sets another deadline', () => {
    expect(marked('deadline 60 s')?.deadlineSeconds).toBe(60);
  });

  test('says that a refusal is what the page shows', () => {
    expect(marked('fails')?.ends).toBe('badly');
  });

  test('holds for its block only', () => {
    const markdown = `<!-- docs-check: fails -->\n\n${fence}sh\nls\n${fence}\n\n${fence}sh\npwd\n${fence}\n`;
    expect(commandsOf(markdown).map(({ ends }) => ends)).toEqual(['badly', 'well']);
  });

  test('that is misspelt is refused', () => {
    expect(() => marked('skipp, typo')).toThrow('is none of');
  });
});
