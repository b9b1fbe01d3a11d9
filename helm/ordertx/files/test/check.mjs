/**
 * What `helm test` runs: everybody is ready, and the API server refuses what must never be stored and never be deleted.
 * PROBE is the name of the account that it runs as, and of the one transaction that this account may touch.
 *
 * The refusals are tried by dry run, on a transaction whose flow does not exist, so that nobody acts on it; it is given up in the end.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const { API_SERVER, NAMESPACE, ACCOUNT_FOLDER, PROBE, READY_URLS } = process.env;
const DEADLINE_MS = Date.now() + 120_000;
const REQUEST_MS = 10_000;
const path = `/apis/ordertx.dev/v1alpha1/namespaces/${NAMESPACE}/ordertransactions`;

/** Asks until `good` says that the answer is the right one; what is not ready yet may become so, what is wrong stays wrong. */
async function until(what, ask, good) {
  for (;;) {
    const answer = await ask().catch((error) => ({ status: 0, text: String(error.cause ?? error) }));
    if (good(answer)) return console.log(`ok: ${what}`);
    if (Date.now() > DEADLINE_MS)
      throw new Error(`${what}: was answered ${answer.status}: ${answer.text.slice(0, 500)}`);
    await pause(1_000);
  }
}

async function api(method, at, body) {
  const token = readFileSync(`${ACCOUNT_FOLDER}/token`, 'utf8').trim();
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const answer = await fetch(`${API_SERVER}${at}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': type },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  return { status: answer.status, text: await answer.text() };
}

async function ready(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS) });
  return { status: answer.status, text: await answer.text() };
}

for (const url of READY_URLS.split(',').filter(Boolean))
  await until(
    `${url} answers`,
    () => ready(url),
    ({ status }) => status === 200,
  );

const probe = {
  apiVersion: 'ordertx.dev/v1alpha1',
  kind: 'OrderTransaction',
  metadata: { name: PROBE },
  spec: { flow: PROBE, orderId: PROBE, payload: {} },
};
await until(
  'a transaction is taken',
  () => api('POST', path, probe),
  ({ status }) => status === 201 || status === 409,
);
try {
  await until(
    'an end without a decision is refused (dry run)',
    () => api('PATCH', `${path}/${PROBE}/status?dryRun=All`, { status: { phase: 'Succeeded' } }),
    ({ status }) => status === 422,
  );
  await until(
    'the deletion of an unfinished transaction is refused (dry run)',
    () => api('DELETE', `${path}/${PROBE}?dryRun=All`),
    ({ status, text }) => status === 403 && text.includes('is not finished'),
  );
} finally {
  const by = `system:serviceaccount:${NAMESPACE}:${PROBE}`;
  const annotations = { 'ordertx.dev/abandon': 'was the probe of helm test', 'ordertx.dev/abandoned-by': by };
  const given = { metadata: { annotations } };
  await until(
    'the probe is given up',
    () => api('PATCH', `${path}/${PROBE}`, given),
    ({ status }) => status === 200,
  );
  await until(
    'the probe is gone',
    () => api('DELETE', `${path}/${PROBE}`),
    ({ status }) => status === 200 || status === 404,
  );
}
console.log('everything that was tried is as it should be');
