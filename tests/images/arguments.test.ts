/** What `npm run images` reads from its arguments, and what it says of wrong ones. */
import { expect, test } from '@jest/globals';
import manifest from '../../package.json' with { type: 'json' };
import { imageName, readArguments } from '../../scripts/images/build.ts';
import { PROCESSES } from '../../scripts/images/processes.ts';

test('without any, every image is built by docker, under this version', () => {
  const wanted = readArguments([]);
  expect(wanted).toEqual({ docker: ['docker'], tag: manifest.version, images: PROCESSES, buildArgs: [] });
  expect(wanted.images.map((image) => imageName(image, wanted.tag))[0]).toBe(`ordertx/controller:${manifest.version}`);
});

test('what follows a second -- is docker build’s', () => {
  const args = [
    '--docker',
    'podman --remote',
    '--tag',
    'try',
    '--only',
    'wms,order',
    '--',
    '--build-arg',
    'NODE_IMAGE=x',
  ];
  expect(readArguments(args)).toMatchObject({
    docker: ['podman', '--remote'],
    tag: 'try',
    images: [{ name: 'wms' }, { name: 'order' }],
    buildArgs: ['--build-arg', 'NODE_IMAGE=x'],
  });
});

test.each([
  [['--only', 'order,shop'], 'there is no image "shop"; there are controller, order, inventory,'],
  [['--tag', 'a b'], '--tag: "a b" is no tag'],
  [['--push'], "Unknown option '--push'"],
])('%j is refused with a sentence', (args, sentence) => {
  expect(() => readArguments(args)).toThrow(sentence);
});
