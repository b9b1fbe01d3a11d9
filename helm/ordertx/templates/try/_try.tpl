{{/*
For trying out: a Postgres and a Redis with passwords that anybody can read here.
*/}}

{{/* Of a user of Redis or a role of Postgres, by its name. */}}
{{- define "ordertx.try.password" -}}
{{- printf "%s-for-trying-out" . -}}
{{- end -}}

{{/* A repository that has its registry; the release's own imageRegistry and imageTag say nothing of it. */}}
{{- define "ordertx.try.image" -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository .tag -}}
{{- end -}}
{{- end -}}

{{/* Whose databases there are: a list of services that run here, and the archive's. */}}
{{- define "ordertx.try.databases" -}}
{{- append (keys (omit (include "ordertx.parts" . | fromYaml) "controller") | sortAlpha) "archive" | toYaml -}}
{{- end -}}

{{/* What the server's init container is given: everything that it makes roles and databases of. */}}
{{- define "ordertx.try.passwords" -}}
{{- range $database := include "ordertx.try.databases" . | fromYamlArray -}}
{{- range $role := list (printf "ordertx_%s" $database) (printf "ordertx_%s_owner" $database) -}}
alter role {{ $role }} password '{{ include "ordertx.try.password" $role }}';
{{ end -}}
{{- end -}}
alter role ordertx_reader password '{{ include "ordertx.try.password" "ordertx_reader" }}';
{{ end -}}

{{/* A URL of a database: (dict "root" $ "database" "order" "role" "ordertx_order"). */}}
{{- define "ordertx.try.databaseUrl" -}}
{{- $host := include "ordertx.componentName" (dict "root" .root "component" "try-postgres") -}}
{{- printf "postgres://%s:%s@%s:5432/ordertx_%s" .role (include "ordertx.try.password" .role) $host .database -}}
{{- end -}}

{{/* The name that a value gives a secret; try.enabled makes it, so it has to have one: (dict "name" .Values.x.existingSecret "setting" "x.existingSecret"). */}}
{{- define "ordertx.try.secretName" -}}
{{- required (printf "try.enabled makes the secret that %s names, and it names none: helm/ordertx/values-try.yaml has all that a try-out needs" .setting) .name -}}
{{- end -}}

{{/* Of pods and containers: as Restricted Pod Security wants them; (dict "user" 999). */}}
{{- define "ordertx.try.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user | int64 }}
runAsGroup: {{ .user | int64 }}
fsGroup: {{ .user | int64 }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "ordertx.try.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What both containers of Postgres have. */}}
{{- define "ordertx.try.postgresRest" -}}
env:
  - { name: PGDATA, value: /data/postgres }
  - { name: PGHOST, value: /tmp }
  - { name: DATABASES, value: {{ include "ordertx.try.databases" . | fromYamlArray | join " " }} }
resources:
  {{- toYaml .Values.try.postgres.resources | nindent 2 }}
securityContext:
  {{- include "ordertx.try.containerSecurity" . | nindent 2 }}
volumeMounts:
  - { name: data, mountPath: /data }
  - { name: files, mountPath: /files, readOnly: true }
  - { name: tmp, mountPath: /tmp }
{{- end -}}
