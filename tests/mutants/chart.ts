/** Ways to break who may do what in a cluster that the chart was installed in. */
import type { Mutant } from './mutant.ts';

export const chart: readonly Mutant[] = [
  {
    name: 'the controller may change transactions, not their status alone',
    breaks: 'a process may do in the cluster what its work is, and nothing else',
    file: 'helm/ordertx/templates/controller/rbac.yaml',
    find: 'verbs: [get, list, watch, delete, deletecollection]',
    replace: 'verbs: [get, list, watch, patch, delete, deletecollection]',
    tests: ['tests/chart/rights.real.test.ts'],
  },
  {
    name: 'a release has the names of another one’s Leases',
    breaks: 'ADR 54: of Leases a controller writes its own installation’s, and those',
    file: 'helm/ordertx/templates/controller/rbac.yaml',
    find: '(include "ordertx.fullname" $) $shard $shards',
    replace: '"ordertx" $shard $shards',
    tests: ['tests/chart/rights.real.test.ts'],
  },
  {
    name: 'Redis lets in whoever names nobody',
    breaks: 'a stranger does nothing in Redis',
    file: 'helm/ordertx/templates/_redis-acl.tpl',
    find: 'user default off',
    replace: '# nobody',
    tests: ['tests/broker/redis-acl.real.test.ts'],
  },
  {
    name: 'the consumer of a stream of one’s own has dispatch’s stream',
    breaks: 'a consumer hears its own stream, and no other',
    file: 'helm/ordertx/templates/_redis-acl.tpl',
    find: '(replace ":dispatch" (printf ":%s" $stream) .)',
    replace: '.',
    tests: ['tests/broker/redis-acl.real.test.ts'],
  },
  {
    name: 'the try-out’s Postgres believes whoever reaches it',
    breaks: 'what is tried has the roles that production has',
    file: 'helm/ordertx/files/try/pg_hba.conf',
    find: 'host all all all scram-sha-256',
    replace: 'host all all all trust',
    tests: ['tests/broker/try-stores.real.test.ts'],
  },
  {
    name: 'the inventory service reaches Redis',
    breaks: 'only the paths that there are',
    file: 'helm/ordertx/templates/try/network-policies.yaml',
    find: 'if and $theirs.redis (hasKey $parts $component)',
    replace: 'if hasKey $parts $component',
    tests: ['tests/chart/try-out.real.test.ts'],
  },
  {
    name: 'Prometheus is let in to the port where stock is changed',
    breaks: 'who collects figures changes nothing',
    file: 'helm/ordertx/templates/network-policies.yaml',
    find: '- { port: metrics, protocol: TCP }',
    replace: '- { port: admin, protocol: TCP }',
    tests: ['tests/chart/monitoring.real.test.ts'],
  },
  {
    name: 'an alert looks at the figures of every release',
    breaks: 'a release that is well silences no other’s alerts',
    file: 'helm/ordertx/templates/prometheusrule.yaml',
    find: '"names" "ordertx_[a-z0-9_]+|leader_election_master_status"',
    replace: '"names" "none_at_all"',
    tests: ['tests/alerts/two-releases.real.test.ts'],
  },
];
