{{/*
Certificates for the databases and Redis, as files of one volume: whose word a process takes for who its servers are, and what it shows a
Redis that asks who it is. A projected volume follows its secrets, so what is renewed counts from the next connection on.
*/}}

{{- define "ordertx.tls.folder" -}}
/etc/ordertx/tls
{{- end -}}

{{/* A source of the volume, or nothing: (dict "ca" .Values.redis.ca "setting" "redis.ca" "file" "redis-ca.crt"). */}}
{{- define "ordertx.tls.authority" -}}
{{- $items := list (dict "key" .ca.key "path" .file) -}}
{{- if and .ca.existingSecret .ca.existingConfigMap -}}
{{- fail (printf "%s names a secret and a ConfigMap: take %s.existingSecret or %s.existingConfigMap out, the certificates are in one of them" .setting .setting .setting) -}}
{{- else if .ca.existingSecret -}}
{{- dict "secret" (dict "name" .ca.existingSecret "items" $items) | toYaml -}}
{{- else if .ca.existingConfigMap -}}
{{- dict "configMap" (dict "name" .ca.existingConfigMap "items" $items) | toYaml -}}
{{- end -}}
{{- end -}}

{{/* Of a process: `sources` of its volume, and the `env` that names the files; (dict "root" $ "component" "order"). */}}
{{- define "ordertx.tls" -}}
{{- $values := .root.Values -}}
{{- $folder := include "ordertx.tls.folder" . -}}
{{- $sources := list -}}
{{- $env := dict -}}
{{- $controls := eq .component "controller" -}}
{{- if not $controls -}}
{{- with include "ordertx.tls.authority" (dict "ca" $values.databases.ca "setting" "databases.ca" "file" "database-ca.crt") -}}
{{- $sources = append $sources (fromYaml .) -}}
{{- $_ := set $env "DATABASE_CA_FILE" (printf "%s/database-ca.crt" $folder) -}}
{{- end -}}
{{- else if $values.archive.existingSecret -}}
{{- with include "ordertx.tls.authority" (dict "ca" $values.archive.ca "setting" "archive.ca" "file" "archive-ca.crt") -}}
{{- $sources = append $sources (fromYaml .) -}}
{{- $_ := set $env "ARCHIVE_DATABASE_CA_FILE" (printf "%s/archive-ca.crt" $folder) -}}
{{- end -}}
{{- end -}}
{{- if or $controls (dig .component "redis" false (include "ordertx.traits" .root | fromYaml)) -}}
{{- with include "ordertx.tls.authority" (dict "ca" $values.redis.ca "setting" "redis.ca" "file" "redis-ca.crt") -}}
{{- $sources = append $sources (fromYaml .) -}}
{{- $_ := set $env "REDIS_CA_FILE" (printf "%s/redis-ca.crt" $folder) -}}
{{- end -}}
{{- with $values.redis.clientCertificate -}}
{{- if .existingSecret -}}
{{- $items := list (dict "key" .certKey "path" "redis.crt") (dict "key" .keyKey "path" "redis.key") -}}
{{- $sources = append $sources (dict "secret" (dict "name" .existingSecret "items" $items)) -}}
{{- $_ := set $env "REDIS_CERT_FILE" (printf "%s/redis.crt" $folder) -}}
{{- $_ := set $env "REDIS_KEY_FILE" (printf "%s/redis.key" $folder) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "sources" $sources "env" $env | toYaml -}}
{{- end -}}
