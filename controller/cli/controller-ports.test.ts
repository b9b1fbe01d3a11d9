/** Where controllers are asked. */
import { expect, test } from '@jest/globals';
import { ControllerPorts } from './controller-ports.ts';

test('a URL with a password in it is refused, and not repeated', () => {
  const named = (): ControllerPorts => new ControllerPorts('http://ada:Pa55word@controller:8080', undefined as never);
  expect(named).toThrow('a URL with a user or a password in it is not taken');
  expect(named).not.toThrow('Pa55word');
});
