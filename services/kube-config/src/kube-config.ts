/**
 * KubeConfig of @kubernetes/client-node without the classes that it generates for every resource of Kubernetes (ADR 6).
 *
 * Those are 20 MB of source text that the controller, the order service and the plugin would each read, compile and keep, for one method that nobody here calls
 * (makeApiClient). So where the library's own module asks for all of them, it gets the two small modules that hold what it names.
 */
import { registerHooks } from 'node:module';

const LIBRARY = '@kubernetes/client-node/dist';

// The package is pinned. Should a later version ask otherwise, it gets all of them again, and kube-config.test.ts says so.
const hooks = registerHooks({
  resolve: (specifier, context, next) =>
    specifier === './gen/index.js' && context.parentURL?.endsWith(`/${LIBRARY}/config.js`) === true
      ? next(new URL('kube-config-generated.ts', import.meta.url).href, context)
      : next(specifier, context),
});
export const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js');
hooks.deregister();
