/**
 * An image's bill of materials: an SPDX 2.3 document of exactly the packages that are bundled, as package-lock.json names them.
 *
 * What the base image holds has its publisher's own; here it is the one package that the image descends from.
 */
import { createHash } from 'node:crypto';

export interface LockedPackage {
  /** From the repository's root. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, or what the package says instead of one. */
  readonly license: string | undefined;
  /** Subresource integrity of the package's archive: `sha512-<base64>`. */
  readonly integrity: string | undefined;
}

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
}

/** By path. */
export function readLock(text: string): ReadonlyMap<string, LockedPackage> {
  const { packages } = JSON.parse(text) as { readonly packages: Readonly<Record<string, LockEntry>> };
  return new Map(
    Object.entries(packages)
      .filter(([path]) => path !== '')
      .map(([path, { version = '', license, integrity }]) => {
        const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
        return [path, { path, name, version, license, integrity }];
      }),
  );
}

export interface Contents {
  /** Of the image. */
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly license: string;
  /** What Node and its libraries are taken from. */
  readonly base: string;
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number;
  readonly packages: readonly LockedPackage[];
}

const UNSAID = 'NOASSERTION';
/** See node-alone.sh. */
const FROM_BASE =
  'Node and the libraries that it is linked to are from here; /var/lib/dpkg/status.d names their packages.';
const LICENSE_EXPRESSION = /^\(?[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*\)?$/;

/** The document as JSON would have it; the same contents give the same document. */
export function spdxDocument(contents: Contents): object {
  const { name, title, version, license, base, packages } = contents;
  const image = idOf('image', name);
  const baseImage = 'SPDXRef-base-image';
  const listed = packages.map((each) => ({ ...each, id: idOf('package', `${each.path}-${each.version}`) }));
  const described = [
    { ...unsaid(image, name, version), summary: title, primaryPackagePurpose: 'CONTAINER', licenseDeclared: license },
    { ...unsaid(baseImage, base), comment: FROM_BASE, primaryPackagePurpose: 'CONTAINER', licenseDeclared: UNSAID },
    ...listed.map((each) => ({
      ...unsaid(each.id, each.name, each.version),
      licenseDeclared: each.license !== undefined && LICENSE_EXPRESSION.test(each.license) ? each.license : UNSAID,
      ...checksums(each.integrity),
      externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purlOf(each) }],
    })),
  ];
  const relationships = [
    { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: image },
    { spdxElementId: image, relationshipType: 'GENERATED_FROM', relatedSpdxElement: baseImage },
    ...listed.map(({ id }) => ({ spdxElementId: image, relationshipType: 'CONTAINS', relatedSpdxElement: id })),
  ];
  const digest = createHash('sha256')
    .update(JSON.stringify([described, relationships]))
    .digest('hex');
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${name}-${version}`,
    documentNamespace: `https://ordertx.dev/spdx/${name}-${version}-${digest}`,
    creationInfo: {
      created: new Date(contents.sourceDateEpoch * 1_000).toISOString().replace(/\.\d+Z$/, 'Z'),
      creators: [`Tool: ordertx-${version}`],
    },
    packages: described,
    relationships,
  };
}

function unsaid(id: string, name: string, version?: string) {
  return {
    SPDXID: id,
    name,
    ...(version !== undefined && { versionInfo: version }),
    downloadLocation: UNSAID,
    filesAnalyzed: false,
    licenseConcluded: UNSAID,
    copyrightText: UNSAID,
  };
}

/** SPDX wants hexadecimal digits. */
function checksums(integrity: string | undefined) {
  const [, digest] = /^sha512-(\S+)$/.exec(integrity ?? '') ?? [];
  if (digest === undefined) return {};
  return { checksums: [{ algorithm: 'SHA512', checksumValue: Buffer.from(digest, 'base64').toString('hex') }] };
}

function purlOf({ name, version }: LockedPackage): string {
  return `pkg:npm/${name.replace('@', '%40')}@${encodeURIComponent(version)}`;
}

/** Of letters, digits, dots and hyphens, as SPDX wants it. */
function idOf(kind: string, text: string): string {
  return `SPDXRef-${kind}-${text.replaceAll(/[^A-Za-z0-9.]+/g, '-').replaceAll(/^-|-$/g, '')}`;
}
