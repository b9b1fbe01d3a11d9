/**
 * Every version this machine's system is made of, in one place.
 *
 * The npm packages (Node, Postgres) are pinned by package.json; the Go modules the control plane is built from by
 * the go.mod of each folder in control-plane/modules, which have to name the same versions as this file.
 */

export const KUBERNETES_VERSION = 'v1.36.4';
export const ETCD_VERSION = 'v3.6.13';
/** The chart is held to both: server-side apply came with 4, and 3.18 is the oldest that still gets mended. */
export const HELM_VERSION = 'v4.2.4';
export const HELM_3_VERSION = 'v3.18.6';
/** Major version of the Redis protocol and commands we need: XAUTOCLAIM with deleted ids came with 7. */
export const REDIS_MAJOR_MIN = 7;
/** Debian bookworm's: it scrapes OpenMetrics and keeps exemplars. Tests alone need one. */
export const PROMETHEUS_VERSION_MIN: readonly [major: number, minor: number] = [2, 42];

export type Platform = `${'linux' | 'darwin'}-${'amd64' | 'arm64'}`;

export type PublishedArchives = {
  readonly version: string;
  readonly url: (platform: Platform) => string;
  /** Hexadecimal. */
  readonly sha512: Readonly<Partial<Record<Platform, string>>>;
};

/**
 * The envtest archives (etcd, kube-apiserver, kubectl) that the controller-tools project publishes. They lag a few
 * patch releases behind Kubernetes, which is why they carry a version of their own. `sha512` is the digest published in
 * that project's envtest-releases.yaml; a platform whose digest isn't known to us is left out and built from source.
 */
export const PUBLISHED_CONTROL_PLANE: PublishedArchives = {
  version: 'v1.36.2',
  url: (platform) =>
    `https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-v1.36.2/envtest-v1.36.2-${platform}.tar.gz`,
  sha512: {
    'darwin-amd64':
      'b4fe9f973cd1992e3880f8b230ed32c0c243b83371591e3e3315f4404df2cdbef8ee94eeb9bb245b7e5feb987d5c4a76c43e0877654ab73f00d7bbc2b9984514',
    'darwin-arm64':
      '9278f9e5af556b2f1f2d139769c1f0d717c7b4426917fdebdba898bcb725a916e4910d6160886194ff9be9589ea7c5c32c2b8ae0754703874b7c8ba8ddfc41ce',
    'linux-amd64':
      'ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dcf30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08',
    'linux-arm64':
      '2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae28181afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac',
  },
};

/** Names this machine the way Go and the published archives do; throws where nothing could be built or fetched. */
export function thisPlatform(): Platform {
  const os = process.platform;
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch;
  if ((os === 'linux' || os === 'darwin') && (cpu === 'amd64' || cpu === 'arm64')) return `${os}-${cpu}`;
  throw new Error(`ordertx runs on Linux and macOS with an x64 or arm64 processor, not on ${os} ${process.arch}.`);
}
