/**
 * Whether the CRDs that are installed are those this controller was written for, or newer.
 *
 * An API server drops fields that its CRD does not know, without a word: what a controller stored on an older one would not be there when
 * it is read. So work waits until both CRDs fit, and goes on by itself once they were applied. (docs/adr/0050)
 *
 *  S1  Nobody waits for ever without a sentence: which CRD, what is installed, what is needed, what to do.
 *  S2  What could not be read counts as unfit at the start; later it keeps what is known.
 *  S3  Once they have fitted, work is not stopped again: a CRD that goes back is told (`onLook`, the log).
 */
import { fitOf, SCHEMA_ANNOTATION, type Fit, type SchemaRevision } from '../../../crds/schema-revision.ts';
import { delay, type Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { ApiAnswer, Transport } from './transport.ts';

export interface InstalledSchemasOptions {
  readonly transport: Pick<Transport, 'request'>;
  readonly clock: Clock;
  readonly log: Log;
  /** By the CRD's name. */
  readonly needed: ReadonlyMap<string, SchemaRevision>;
  /** This controller's version: where CRDs that fit come from. */
  readonly version: string;
  readonly onLook?: (crd: string, fits: boolean) => void;
}

interface Marked {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
}

type Judgement =
  | { readonly kind: 'fits' }
  | { readonly kind: 'unfit'; readonly sentence: string }
  | { readonly kind: 'unread'; readonly sentence: string };

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
/** Somebody waits, perhaps in the middle of an upgrade; two requests for a few lines each are nothing. */
const WAITING_MS = 1_000;
/** A CRD that goes back is an accident that is told, not stopped: that is soon enough, and next to nothing for the API server. */
const WORKING_MS = 300_000;
const REQUEST_MS = 5_000;

export class InstalledSchemas {
  readonly #options: InstalledSchemasOptions;
  readonly #judgements = new Map<string, Judgement>();
  readonly #fitting = Promise.withResolvers<undefined>();
  readonly #stopping = new AbortController();
  #haveFitted = false;
  #running: Promise<void> | undefined;

  constructor(options: InstalledSchemasOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run(this.#stopping.signal);
  }

  /** `whenFit` does not resolve after it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Resolves as soon as all have fitted at one look. */
  async whenFit(): Promise<void> {
    await this.#fitting.promise;
  }

  /** Why work has not begun yet, a sentence for each CRD; nothing once it may. */
  waitsFor(): readonly string[] {
    if (this.#haveFitted) return [];
    return [...this.#options.needed.keys()].flatMap((crd) => {
      const judgement = this.#judgements.get(crd) ?? {
        kind: 'unread',
        sentence: `${nameOf(crd)} has not been read yet`,
      };
      return judgement.kind === 'fits' ? [] : [judgement.sentence];
    });
  }

  async #run(stopping: AbortSignal): Promise<void> {
    const { needed, clock } = this.#options;
    while (!stopping.aborted) {
      const looks = [...needed].map(([crd, revision]) => this.#look(crd, revision, stopping));
      const fit = (await Promise.all(looks)).every(({ kind }) => kind === 'fits');
      if (stopping.aborted) return;
      if (fit && !this.#haveFitted) {
        this.#haveFitted = true;
        this.#fitting.resolve(undefined);
      }
      await delay(clock, this.#haveFitted ? WORKING_MS : WAITING_MS, stopping);
    }
  }

  async #look(crd: string, needed: SchemaRevision, signal: AbortSignal): Promise<Judgement> {
    const { transport, onLook } = this.#options;
    const path = `${CRDS}/${crd}`;
    const answer = await transport.request<Marked>({
      ...{ method: 'GET', path, isMetadataOnly: true, timeoutMs: REQUEST_MS, signal },
    });
    const before = this.#judgements.get(crd);
    const judgement = this.#judge(crd, needed, answer);
    if (signal.aborted || (judgement.kind === 'unread' && this.#haveFitted)) return before ?? judgement;
    this.#judgements.set(crd, judgement);
    this.#tell(crd, before, judgement);
    onLook?.(crd, judgement.kind === 'fits');
    return judgement;
  }

  #judge(crd: string, needed: SchemaRevision, answer: ApiAnswer<Marked>): Judgement {
    const { version } = this.#options;
    switch (answer.kind) {
      case 'ok': {
        const mark = answer.body.metadata.annotations?.[SCHEMA_ANNOTATION];
        const fit = fitOf(mark, needed);
        if (fit === 'same' || fit === 'newer') return { kind: 'fits' };
        return { kind: 'unfit', sentence: `${nameOf(crd)} ${lacks(fit, mark, needed)}: ${remedy(version)}` };
      }
      case 'error':
        if (answer.error.status === 404)
          return { kind: 'unfit', sentence: `${nameOf(crd)} is not installed: ${remedy(version)}` };
        if (answer.error.status === 403) return { kind: 'unread', sentence: forbidden(crd) };
        return { kind: 'unread', sentence: `${nameOf(crd)} cannot be read: ${answer.error.message}` };
      case 'unanswered':
        return { kind: 'unread', sentence: `${nameOf(crd)} has not been read yet: ${answer.message}` };
    }
  }

  #tell(crd: string, before: Judgement | undefined, now: Judgement): void {
    const { log } = this.#options;
    if (now.kind === 'fits') {
      if (before !== undefined && before.kind !== 'fits') log.info({ crd }, 'the CRD fits this controller by now');
      return;
    }
    if (before !== undefined && before.kind !== 'fits' && before.sentence === now.sentence) return;
    const then = this.#haveFitted
      ? 'work goes on, and what only newer CRDs know is not kept'
      : 'no work begins before that';
    log.warn({ crd }, `${now.sentence}; ${then}`);
  }
}

function nameOf(crd: string): string {
  return `the CRD ${crd}`;
}

function lacks(fit: Exclude<Fit, 'same' | 'newer'>, mark: string | undefined, { revision }: SchemaRevision): string {
  switch (fit) {
    case 'older':
      return `is older than this controller: its schema is revision ${mark?.split('-')[0] ?? ''}, and ${revision} is needed`;
    case 'unmarked':
      return `is older than this controller: its schema has no revision (annotation ${SCHEMA_ANNOTATION}), and ${revision} is needed`;
    case 'other':
      return `has another schema than this controller's, though both call theirs revision ${revision}`;
  }
}

function remedy(version: string): string {
  return `apply the CRDs (crds/) of version ${version}`;
}

function forbidden(crd: string): string {
  return `${nameOf(crd)} may not be read by this controller's account: give it a ClusterRole with the verb get on customresourcedefinitions.apiextensions.k8s.io, resourceNames [${crd}]`;
}
