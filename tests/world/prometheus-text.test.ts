/** What is read out of a metrics page. */
import { expect, test } from '@jest/globals';
import { samplesOf, sumOf } from './prometheus-text.ts';

const PAGE = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{verb="GET",code="200"} 3
requests_total{verb="PUT",code="200"} 4 1700000000000
requests_total{verb="PUT",path="a \\"b\\", {c}"} 1e+01
requests_total_of_another 7
up 1
`;

test('samples are those of exactly this metric, with their labels', () => {
  expect(samplesOf(PAGE, 'requests_total')).toEqual([
    { name: 'requests_total', labels: { verb: 'GET', code: '200' }, value: 3 },
    { name: 'requests_total', labels: { verb: 'PUT', code: '200' }, value: 4 },
    { name: 'requests_total', labels: { verb: 'PUT', path: 'a \\"b\\", {c}' }, value: 10 },
  ]);
  expect(samplesOf(PAGE, 'up')).toEqual([{ name: 'up', labels: {}, value: 1 }]);
});

test('sums are over what has these labels; what is not there is 0', () => {
  expect(sumOf(PAGE, 'requests_total')).toBe(17);
  expect(sumOf(PAGE, 'requests_total', { verb: 'PUT' })).toBe(14);
  expect(sumOf(PAGE, 'requests_total', { verb: 'POST' })).toBe(0);
});
