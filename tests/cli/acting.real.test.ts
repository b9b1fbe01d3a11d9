/** What people do with kubectl's plugin to transactions that a real controller works on: each act is waited for, and answered truly. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { findCondition } from '../../controller/src/transaction/conditions.ts';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { openTappedShop, TEA, type TappedShop } from '../chaos/every-request.ts';
import type { Verdict } from '../chaos/fault-proxy.ts';
import { SLOW_RETRY, type Begun, type Shop } from '../world/shop.ts';
import { grant } from './access.ts';
import { buildPlugin, pluginEnvironment, type Plugin, type Ran } from './plugin.ts';
import { atTerminal, type Shown, type Typed } from './pseudo-terminal.ts';

const SETUP_MS = 120_000;
const SEEN_MS = 20_000;
const RETRY = 'ordertx.dev/retry-requested-at';

let tapped: TappedShop;
let shop: Shop;
let plugin: Plugin;
let controller: RunningController;

beforeAll(async () => {
  tapped = await openTappedShop('acting');
  ({ shop } = tapped);
  await shop.putFlow('slow', { origins: tapped.origins, retry: SLOW_RETRY, timeoutSeconds: 3_600 });
  controller = await tapped.startController();
  plugin = await buildPlugin(shop.namespace);
}, SETUP_MS);
beforeEach(() => tapped.tap.reset({}));
afterAll(async () => {
  await plugin.close();
  await tapped.close();
}, SETUP_MS);

/** From now on these calls to inventory are answered so. */
function inventoryAnswers(operation: 'try' | 'confirm' | 'cancel', verdict: Verdict): void {
  tapped.tap.reset({
    before: ({ to, path }) => (to === 'inventory' && path.endsWith(`/${operation}`) ? verdict : 'pass'),
  });
}

async function failing(operation: 'try' | 'confirm', status = 500): Promise<Begun> {
  inventoryAnswers(operation, { status });
  const begun = await shop.begin('slow', [TEA]);
  await seen(begun.name, 'to fail', (transaction) => transaction.status?.waitingFor === 'inventory');
  return begun;
}

function seen(name: string, what: string, is: (transaction: OrderTransaction) => boolean): Promise<OrderTransaction> {
  return shop.transactionWhen(name, what, is, SEEN_MS);
}

const ordertx = (...args: readonly string[]): Promise<Ran> => plugin.run(args);

function typing(args: readonly string[], typed: readonly Typed[]): Promise<Shown> {
  const command = [process.execPath, plugin.program, '-n', shop.namespace, ...args];
  return atTerminal(command, pluginEnvironment({ NO_COLOR: '1' }), typed);
}

describe('retry', () => {
  test('waits for the answer of the new attempt: all that an incident held up go on and end', async () => {
    const [one, other] = [await failing('confirm'), await failing('confirm')];
    const { out: incidents } = await ordertx('incidents', '-o', 'json');
    const items = (JSON.parse(incidents) as { items: { id: string; operation: string; transactions: string[] }[] })
      .items;
    const incident = items.find(({ transactions }) => transactions.includes(one.name));
    expect(incident).toMatchObject({ operation: 'confirm', target: 'inventory', count: 2 });
    tapped.tap.reset({});
    const { code, out, err } = await ordertx('retry', '--incident', incident?.id ?? '', '--yes');
    expect({ code, out: out.split('\n').toSorted() }).toEqual({
      code: 0,
      out: [
        '',
        ...[`${one.name}: settled: Succeeded`, `${other.name}: settled: Succeeded`].toSorted(),
        'retry: 2 transactions: 2 settled',
      ],
    });
    expect(err).toMatch(/^ {6}2 acting-\w+\/slow: the confirm at inventory is not done/);
    expect((await shop.transaction(one.name))?.status?.phase).toBe('Succeeded');
  });

  test('what still fails is told with its new sentence, what has ended is too late, what is not there not found: it adds up', async () => {
    const ended = await shop.begin('slow', [TEA]);
    await shop.final(ended.name);
    const begun = await failing('confirm', 500);
    inventoryAnswers('confirm', { status: 503 });
    const { code, out } = await ordertx('retry', ended.name, begun.name, 'create-nothing', '--yes');
    expect(code).toBe(1);
    expect(out).toContain(`${ended.name}: too late: it has ended (Succeeded): there is nothing left to try again\n`);
    expect(out).toMatch(new RegExp(`${begun.name}: still failing: the confirm at inventory is not done.*503`));
    expect(out).toContain('create-nothing: not found\n');
    expect(out).toContain('retry: 3 transactions: 1 too late, 1 still failing, 1 not found\n');
  });

  test('the same answer again is told as soon as it comes, and not only with the next write of the minute', async () => {
    const { name } = await failing('confirm', 500);
    const { code, out } = await ordertx('retry', name, '--yes', '--timeout', '15s');
    expect({ code, out }).toEqual({
      code: 1,
      out: expect.stringContaining(`${name}: still failing: the confirm at inventory`),
    });
  });

  test('a message that nobody answers still fails, with its sentence, when nobody waits any longer', async () => {
    const told = { name: 'unheard', stream: 'nobody', type: 'sms.created' };
    const messages = [{ ...told, when: 'Confirmed', delivery: 'Reliable' }] as const;
    await shop.putFlow('unheard', { origins: tapped.origins, messages });
    const { name } = await shop.begin('unheard', [TEA]);
    await seen(name, 'to miss a receipt', ({ status }) => status?.waitingFor === 'unheard');
    const { code, out } = await ordertx('retry', name, '--yes', '--timeout', '3s');
    expect(code).toBe(1);
    expect(out).toContain(
      `${name}: still failing: the message unheard is not delivered: its consumer has sent no receipt`,
    );
  });

  test('is never done without asking: not without a terminal, not with -o json', async () => {
    const { name } = await failing('confirm');
    for (const args of [
      ['retry', name],
      ['retry', name, '-o', 'json'],
      ['retry', '--all'],
    ]) {
      const { code, out, err } = await ordertx(...args);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain('Nobody can be asked here: say --yes, or try it with --dry-run=server first');
    }
    expect((await ordertx('retry', '--yes')).err).toContain('name transactions, or choose them');
    const dry = await ordertx('retry', name, '--dry-run=server');
    expect(dry).toMatchObject({ code: 0, out: expect.stringContaining(`${name}: would be asked`) });
    expect((await shop.transaction(name))?.metadata.annotations?.[RETRY]).toBeUndefined();

    const asked = await ordertx('retry', name, '--no-wait', '--yes', '-o', 'json');
    expect(JSON.parse(asked.out)).toMatchObject({
      kind: 'ActReport',
      totals: { asked: 1 },
      items: [{ name, result: 'asked' }],
    });
    expect(asked.out).not.toContain('settled');
  });

  test('at a terminal it counts first and asks, and no is no', async () => {
    const { name } = await failing('confirm');
    const question = /Have 1 transaction tried again at once\? \[y\/N\] /;
    const no = await typing(['retry', name], [{ after: question, keys: 'n\n' }]);
    expect(no).toMatchObject({ code: 1, screen: expect.stringContaining('Nothing was done.') });
    const interrupted = await typing(['retry', name], [{ after: question, keys: '\u0003' }]);
    expect(interrupted.code).toBe(130);
    expect(interrupted.screen).not.toMatch(/Error|at .*\.js/);
    expect((await shop.transaction(name))?.metadata.annotations?.[RETRY]).toBeUndefined();

    tapped.tap.reset({});
    const yes = await typing(['retry', name], [{ after: question, keys: 'y\n' }]);
    expect(yes.screen).toMatch(/1 acting-\w+\/slow: the confirm at inventory is not done/);
    expect(yes).toMatchObject({ code: 0, screen: expect.stringContaining(`${name}: settled: Succeeded`) });
  });

  test('Ctrl-C ends the waiting, and the totals still add up', async () => {
    const { name } = await failing('confirm');
    // The attempt that is asked for gets no answer for as long as anybody waits.
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    tapped.tap.reset({ before: ({ to }) => (to === 'inventory' ? promise : 'pass') });
    const shown = await typing(['retry', name, '--yes'], [{ after: /Waiting for what comes of 1/, keys: '\u0003' }]);
    resolve('pass');
    expect(shown.code).toBe(130);
    expect(shown.screen).toContain('retry: 1 transaction: 1 not awaited');
  });
});

describe('what people ask for', () => {
  test('suspend says when it is quiet, retry then says why it is in vain, resume lets it end', async () => {
    const { name } = await failing('try');
    const suspended = await ordertx('suspend', name, '--yes', '--reason', 'looked into');
    expect(suspended).toMatchObject({ code: 0, out: expect.stringContaining(`${name}: settled: nothing is sent`) });
    const described = await ordertx('describe', name);
    expect(described.out).toMatch(/People:\n.*\n\s+suspended/);
    const { suspendedBy = 'nobody' } = (await shop.transaction(name))?.spec ?? {};
    expect(described.out).toMatch(new RegExp(`suspended\\s+${suspendedBy}\\s+looked into`));
    expect(await ordertx('suspend', name, '--yes')).toMatchObject({
      code: 0,
      out: expect.stringContaining(`${name}: too late: it is suspended already, by ${suspendedBy}`),
    });
    expect(described.out).toMatch(/Next:[^]*the deadline is at 20\S+Z \(in \d+ s\) and runs on while it is suspended/);
    expect((await ordertx('flows')).out).toMatch(/slow\s+order,inventory\s+\d+\s+\d+\s+\d+\s+0\s+1\s/);
    const vain = await ordertx('retry', name, '--yes');
    expect(vain).toMatchObject({
      code: 1,
      out: expect.stringContaining('held back: it is suspended: resume it first'),
    });
    tapped.tap.reset({});
    expect(await ordertx('resume', name, '--yes')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/settled: (it goes on; its deadline is at 20\S+Z|Succeeded)/),
    });
    expect(await ordertx('retry', name, '--yes', '--reason', 'mended')).toMatchObject({ code: 0 });
    expect((await shop.final(name)).status?.phase).toBe('Succeeded');
    expect((await ordertx('describe', name)).out).toMatch(
      /asked for a retry at 20\S+Z +\(not signed; see the audit log\) +mended/,
    );
    expect((await ordertx('suspend', name, '--yes')).out).toContain('too late: it has ended (Succeeded)');
  });

  test('what is resumed past its deadline is told to be cancelled, and is no success', async () => {
    await shop.putFlow('short', { origins: tapped.origins, retry: SLOW_RETRY, timeoutSeconds: 5 });
    inventoryAnswers('try', { status: 500 });
    const { name } = await shop.begin('short', [TEA]);
    // Not by the plugin: that a process starts may take longer than until the deadline.
    expect(await shop.patch(name, { spec: { suspend: true } })).toBe(200);
    await seen(name, 'to be suspended', ({ status }) => findCondition(status, 'Suspended')?.status === 'True');
    const created = Date.parse((await shop.transaction(name))?.metadata.creationTimestamp ?? '');
    await waitFor(async () => Date.now() > created + 6_000, { what: 'the deadline to pass', deadlineMs: SEEN_MS });
    expect((await ordertx('describe', name)).out).toMatch(
      /the deadline was at 20\S+Z \(\d+s ago\): once it is resumed it is cancelled/,
    );
    const resumed = await ordertx('resume', name, '--yes');
    expect(resumed).toMatchObject({ code: 1, out: expect.stringContaining('(DeadlineExceeded)') });
    expect(resumed.out).toContain('resume: 1 transaction: 1 too late\n');
    expect(resumed.err).toContain('(past its deadline: it is cancelled, unless every participant has tried)');
    expect((await shop.final(name)).status?.phase).toBe('Cancelled');
  });

  test('cancel waits until all is undone; after a Confirm it is too late, which is a failure', async () => {
    const undecided = await failing('try');
    tapped.tap.reset({});
    const cancelled = await ordertx('cancel', undecided.name, '--yes');
    expect(cancelled).toMatchObject({ code: 0, out: expect.stringContaining(`${undecided.name}: settled: Cancelled`) });
    expect(await shop.orderStatus(undecided.orderId)).toBe('CANCELLED');
    const decided = await failing('confirm');
    const late = await ordertx('cancel', decided.name, '--yes');
    expect(late).toMatchObject({
      code: 1,
      out: expect.stringContaining(`${decided.name}: too late: it is decided: Confirm`),
    });
  });

  test('settle needs a decision, a reason and a part that there is; then the transaction ends', async () => {
    const undecided = await failing('try');
    const early = ['settle', undecided.name, '--branch', 'inventory', '--reason', 'TICKET-1', '--yes'];
    expect(await ordertx(...early)).toMatchObject({ code: 1, out: expect.stringContaining('refused: too early') });
    const { name } = await failing('confirm');
    expect((await ordertx('settle', name, '--branch', 'inventory', '--yes')).err).toContain('--reason TEXT');
    const lost = await ordertx('settle', name, '--branch', 'bank', '--reason', 'TICKET-1', '--yes');
    expect(lost.out).toContain('refused: it has no participant and no message bank');
    const done = await ordertx('settle', name, '--branch', 'inventory', '--reason', 'TICKET-1', '--yes');
    expect(done).toMatchObject({
      code: 0,
      out: expect.stringContaining(`${name}: settled: inventory counts as Confirmed`),
    });
    expect((await shop.final(name)).spec.resolutions).toMatchObject([{ target: 'inventory', reason: 'TICKET-1' }]);
    expect((await ordertx('describe', name)).out).toContain('settled inventory as Confirmed');
  });

  test('settle is answered as soon as the controller counts it, also while another participant still fails', async () => {
    tapped.tap.reset({ before: ({ path }) => (path.endsWith('/confirm') ? { status: 500 } : 'pass') });
    const { name } = await shop.begin('slow', [TEA]);
    // That the second fails as well is no news by itself, and stored with the first only where both have answered by then.
    await seen(name, 'to fail at order', ({ status }) => status?.waitingFor === 'order');
    const settled = ['settle', name, '--branch', 'inventory', '--reason', 'TICKET-3', '--yes', '--timeout', '15s'];
    expect(await ordertx(...settled)).toMatchObject({
      code: 0,
      out: expect.stringContaining(`${name}: settled: inventory counts as Confirmed`),
    });
    expect((await shop.transaction(name))?.status).toMatchObject({ phase: 'Confirming', waitingFor: 'order' });
    tapped.tap.reset({});
    expect(await ordertx('retry', name, '--yes')).toMatchObject({ code: 0 });
  });

  test('abandon deletes what cannot be ended, with the reason', async () => {
    const { name } = await failing('try');
    expect((await ordertx('abandon', name, '--yes')).code).toBe(2);
    const done = await ordertx('abandon', name, '--yes', '--reason', 'TICKET-2');
    expect(done).toMatchObject({ code: 0, out: expect.stringContaining(`${name}: settled: given up and deleted`) });
    expect(await shop.transaction(name)).toBeUndefined();
  });

  test('hold keeps everybody from a participant, release lets all that waited go on', async () => {
    expect((await ordertx('hold', 'slow', '--target', 'bank', '--reason', 'x', '--yes')).err).toContain(
      'no participant',
    );
    const held = await ordertx('hold', '--all', '--target', 'inventory', '--reason', 'stock count', '--yes');
    expect(held.out).toMatch(
      /slow: settled: nothing is sent any more; what was under way ends within 3 s; deadlines run on: what is not decided 3600 s after its creation is cancelled\n/,
    );
    expect((await ordertx('hold', 'slow', '--target', 'inventory', '--reason', 'stock count', '--yes')).out).toContain(
      'slow: too late: inventory is on hold already, for that reason',
    );
    const { name } = await shop.begin('slow', [TEA]);
    await seen(name, 'to be on hold', ({ status }) => status?.message?.startsWith('on hold') === true);
    const clear = await ordertx('incidents', '--flow', 'slow');
    expect(clear.out).not.toContain(name);
    expect(clear.err).toMatch(
      /On hold, and in no row: inventory in the flow slow \(stock count\); \d+ transactions? of it waits? for it, .* kubectl ordertx release slow --target inventory\n/,
    );
    expect(await ordertx('retry', name, '--yes')).toMatchObject({
      code: 1,
      out: expect.stringContaining(`${name}: held back: on hold: inventory (stock count)`),
    });
    expect((await ordertx('flows')).out).toMatch(/slow\s+order,inventory\s+inventory\s/);
    expect((await ordertx('describe', name)).out).toContain('sends nothing to inventory while the flow has it on hold');
    const released = await ordertx('release', '--all', '--target', 'inventory', '--yes');
    expect(released).toMatchObject({
      code: 0,
      out: expect.stringMatching(/slow: settled: \d+ transactions? that waited for it went on/),
    });
    expect(await ordertx('release', 'slow', '--target', 'inventory', '--yes')).toMatchObject({
      code: 0,
      out: expect.stringContaining('slow: too late: inventory is not on hold'),
    });
    expect((await shop.final(name)).status?.phase).toBe('Succeeded');
  });
});

describe('who may not', () => {
  test('hears which right is lacking, once, and nothing is done', async () => {
    const [one, other] = [await failing('confirm'), await failing('confirm')];
    const rule = { apiGroups: ['ordertx.dev'], resources: ['ordertransactions'], verbs: ['get', 'list'] };
    await grant(shop.admin, shop.namespace, 'onlooker', [rule]);
    const { code, out, err } = await ordertx('retry', one.name, other.name, '--yes', '--as', 'onlooker');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.match(/may not patch ordertransactions\.ordertx\.dev/g)).toHaveLength(1);
    for (const { name } of [one, other]) {
      expect((await shop.transaction(name))?.metadata.annotations?.[RETRY]).toBeUndefined();
    }
  });
});

describe('the controller’s port', () => {
  test('says what the stored copy cannot: what is under way, and nothing of the payload', async () => {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    tapped.tap.reset({ before: ({ to }) => (to === 'inventory' ? promise : 'pass') });
    // Under way for as long as anybody looks.
    const patient = { origins: tapped.origins, callTimeoutSeconds: 60, retry: SLOW_RETRY, timeoutSeconds: 3_600 };
    await shop.putFlow('patient', patient);
    const { name, orderId } = await shop.begin('patient', [TEA]);
    const url = `${controller.url}/transactions/${shop.namespace}/${name}`;
    const look = await waitFor(
      async () => {
        const body = await (await fetch(url)).text();
        return body.includes('"underWay":["inventory"]') ? body : undefined;
      },
      { what: 'the call to be under way', deadlineMs: SEEN_MS },
    );
    expect(look).not.toContain(orderId.slice(1));
    expect(look).not.toContain('tea');
    const { out } = await ordertx('describe', name, '--controller', controller.url);
    expect(out).toContain('under way: inventory');
    expect(out).toMatch(/the deadline is at 20\S+Z \(in \d+ s\): it is cancelled then/);
    expect((await ordertx('version', '--controller', controller.url)).out).toMatch(/Controller:\s+\d+\.\d+\.\d+ \(/);
    resolve('pass');
    await shop.final(name);
    expect(await (await fetch(`${controller.url}/transactions/${shop.namespace}/none`)).json()).toMatchObject({
      kind: 'absent',
    });
  });
});
