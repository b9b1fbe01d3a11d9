{{/*
The environment of each process, as a map from a variable's name to its entry; a map, so that extraEnv can replace what the chart says and
no variable stands there twice.
*/}}

{{- define "ordertx.env.secret" -}}
{{- toYaml (dict "name" .name "valueFrom" (dict "secretKeyRef" (dict "name" .secret "key" .key))) -}}
{{- end -}}

{{/* A value as a process reads it. Numbers of values are floats, whose usual text for a million is 1e+06. */}}
{{- define "ordertx.env.text" -}}
{{- if kindIs "float64" . -}}
{{- ternary (int64 . | toString) (toString .) (eq (int64 . | float64) .) -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* The list that a container's `env` is: (dict "env" $map "extraEnv" list). */}}
{{- define "ordertx.env.list" -}}
{{- $env := deepCopy .env -}}
{{- range .extraEnv }}{{- $_ := set $env .name . -}}{{- end -}}
{{- $entries := list -}}
{{- range $name := keys $env | sortAlpha -}}
{{- $entry := get $env $name -}}
{{- $entries = append $entries (ternary $entry (dict "name" $name "value" (include "ordertx.env.text" $entry)) (kindIs "map" $entry)) -}}
{{- end -}}
{{- $entries | toYaml -}}
{{- end -}}

{{/*
A reference to an existing secret; fails with a sentence where none is named:
  (dict "own" .Values.services.order.database "ownSetting" "services.order.database" "shared" .Values.databases "sharedSetting" "databases"
   "key" "order" "holds" "the order service's database URL")
*/}}
{{- define "ordertx.secretRef" -}}
{{- $own := .own | default dict -}}
{{- $shared := .shared | default dict -}}
{{- if $own.existingSecret -}}
{{- dict "name" $own.existingSecret "key" ($own.key | default .key) | toYaml -}}
{{- else if $shared.existingSecret -}}
{{- dict "name" $shared.existingSecret "key" ($own.key | default .key) | toYaml -}}
{{- else if .shared -}}
{{- fail (printf "there is no secret with %s: name it in %s.existingSecret (one secret for all, here with the key %s) or in %s.existingSecret" .holds .sharedSetting .key .ownSetting) -}}
{{- else -}}
{{- fail (printf "there is no secret with %s: name it in %s.existingSecret%s" .holds .ownSetting (.otherwise | default "")) -}}
{{- end -}}
{{- end -}}

{{- define "ordertx.env.controller" -}}
{{- $values := .Values.controller -}}
{{- $env := dict
  "PORT" "8080"
  "ORDERTX_NAMESPACES" (include "ordertx.watchNamespaces" . | fromYamlArray | join ",")
  "ORDERTX_SERVICE_ACCOUNT" (printf "%s/%s" .Release.Namespace (include "ordertx.controllerAccount" .))
  "ORDERTX_LEASE_PREFIX" (include "ordertx.fullname" .)
  "ORDERTX_SHARDS" $values.shards
  "ORDERTX_REMOVALS_PER_SECOND" $values.removalsPerSecond
  "ARCHIVE_RETENTION_DAYS" .Values.archive.retentionDays
  "LOG_LEVEL" .Values.logLevel
-}}
{{- $_ := merge $env (include "ordertx.tls" (dict "root" . "component" "controller") | fromYaml).env -}}
{{/* Its Redis user reads receipts of names that begin with controller- alone. A variable is known to those that stand after it. */ -}}
{{- $_ := set $env "ORDERTX_POD" (dict "name" "ORDERTX_POD" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.name"))) -}}
{{- $_ := set $env "ORDERTX_REPLICA" "controller-$(ORDERTX_POD)" -}}
{{- with include "ordertx.allowEndpoints" . }}{{- $_ := set $env "ORDERTX_ALLOW_ENDPOINTS" . -}}{{- end -}}
{{- $redis := include "ordertx.secretRef" (dict "own" $values.redis "ownSetting" "controller.redis" "shared" .Values.redis "sharedSetting" "redis" "key" "controller" "holds" "the controller's Redis URL") | fromYaml -}}
{{- $_ := set $env "REDIS_URL" (dict "name" "REDIS_URL" "valueFrom" (dict "secretKeyRef" $redis)) -}}
{{- with .Values.archive.existingSecret -}}
{{- $_ := set $env "ARCHIVE_DATABASE_URL" (dict "name" "ARCHIVE_DATABASE_URL" "valueFrom" (dict "secretKeyRef" (dict "name" . "key" $.Values.archive.key))) -}}
{{- end -}}
{{- $env | toYaml -}}
{{- end -}}

{{/* Of a service: (dict "root" $ "component" "order"). */}}
{{- define "ordertx.env.service" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $values := index $root.Values.services $component -}}
{{- $traits := index (include "ordertx.traits" $root | fromYaml) $component -}}
{{- $namespace := $root.Release.Namespace -}}
{{- $setting := printf "services.%s" $component -}}
{{- $env := dict
  "PORT" "8080"
  "ADMIN_PORT" "8081"
  "METRICS_PORT" "8082"
  "ORDERTX_NAMESPACES" $namespace
  "ORDERTX_RETENTION_DAYS" $root.Values.retentionDays
  "LOG_LEVEL" $root.Values.logLevel
-}}
{{- $_ := merge $env (include "ordertx.tls" . | fromYaml).env -}}
{{- $database := include "ordertx.secretRef" (dict "own" $values.database "ownSetting" (printf "%s.database" $setting) "shared" $root.Values.databases "sharedSetting" "databases" "key" $component "holds" (printf "the %s service's database URL" $component)) | fromYaml -}}
{{- $_ := set $env "DATABASE_URL" (dict "name" "DATABASE_URL" "valueFrom" (dict "secretKeyRef" $database)) -}}
{{- if $traits.redis -}}
{{- $redis := include "ordertx.secretRef" (dict "own" $values.redis "ownSetting" (printf "%s.redis" $setting) "shared" $root.Values.redis "sharedSetting" "redis" "key" $component "holds" (printf "the %s service's Redis URL" $component)) | fromYaml -}}
{{- $_ := set $env "REDIS_URL" (dict "name" "REDIS_URL" "valueFrom" (dict "secretKeyRef" $redis)) -}}
{{- $_ := set $env "ORDERTX_NAMESPACE" $namespace -}}
{{- end -}}
{{- if $traits.participates -}}
{{- $_ := set $env "ORDERTX_AUDIENCE" (printf "ordertx/%s.%s" (include "ordertx.componentName" .) $namespace) -}}
{{- $_ := set $env "ORDERTX_TOKEN_ISSUER" $root.Values.tokenIssuer -}}
{{- $_ := set $env "ORDERTX_JWKS_URL" (printf "http://%s:8080/jwks" (include "ordertx.componentName" (dict "root" $root "component" "controller"))) -}}
{{- $_ := set $env "ORDERTX_CONTROLLER_SUBJECT" (printf "system:serviceaccount:%s:%s" $namespace (include "ordertx.controllerAccount" $root)) -}}
{{- end -}}
{{- if eq $component "order" -}}
{{- $_ := set $env "PAYMENT_URL" (include "ordertx.publicUrl" (dict "root" $root "component" "payment" "asker" "order" "why" "what was captured")) -}}
{{- $_ := set $env "ORDER_PAYMENT_TIMEOUT_SECONDS" $values.paymentTimeoutSeconds -}}
{{- $_ := set $env "ORDER_PRICES" $values.prices -}}
{{- if or $values.quotes.existingSecret (ne $values.prices "trusted") -}}
{{- $quotes := include "ordertx.secretRef" (dict "own" $values.quotes "ownSetting" "services.order.quotes" "key" $values.quotes.key "holds" "what quotes are signed with" "otherwise" ", or set services.order.prices=trusted where a gateway vouches for what things cost") | fromYaml -}}
{{- $_ := set $env "ORDER_QUOTE_SECRET" (dict "name" "ORDER_QUOTE_SECRET" "valueFrom" (dict "secretKeyRef" $quotes)) -}}
{{- end -}}
{{- end -}}
{{- if eq $component "payment" -}}
{{- $_ := set $env "ORDER_URL" (include "ordertx.publicUrl" (dict "root" $root "component" "order" "asker" "payment" "why" "what an order costs")) -}}
{{/* Without it the service would send customers to 127.0.0.1, which is theirs. */ -}}
{{- $publicUrl := required "services.payment.publicUrl says where customers and the payment provider reach the payment service, as the beginning of every payUrl, and it says nothing: https://<host>, or http://127.0.0.1:8080 where only a port-forward leads there" $values.publicUrl -}}
{{- $_ := set $env "PAYMENT_PUBLIC_URL" $publicUrl -}}
{{- $_ := set $env "PAYMENT_PROVIDER_AUTH" $values.provider.auth -}}
{{- if or $values.provider.existingSecret (ne $values.provider.auth "off") -}}
{{- $provider := include "ordertx.secretRef" (dict "own" $values.provider "ownSetting" "services.payment.provider" "key" $values.provider.key "holds" "what the payment provider signs its calls with" "otherwise" ", or set services.payment.provider.auth=off where nobody else reaches the port") | fromYaml -}}
{{- $_ := set $env "PAYMENT_PROVIDER_SECRET" (dict "name" "PAYMENT_PROVIDER_SECRET" "valueFrom" (dict "secretKeyRef" $provider)) -}}
{{- end -}}
{{- with $values.refunds.existingSecret -}}
{{- $_ := set $env "PAYMENT_REFUND_PROVIDER" "webhook" -}}
{{- $_ := set $env "PAYMENT_REFUND_WEBHOOK_URL" (dict "name" "PAYMENT_REFUND_WEBHOOK_URL" "valueFrom" (dict "secretKeyRef" (dict "name" . "key" $values.refunds.urlKey))) -}}
{{- $_ := set $env "PAYMENT_REFUND_WEBHOOK_SECRET" (dict "name" "PAYMENT_REFUND_WEBHOOK_SECRET" "valueFrom" (dict "secretKeyRef" (dict "name" . "key" $values.refunds.secretKey))) -}}
{{- end -}}
{{- end -}}
{{- if eq $component "notification" -}}
{{- with $values.webhook.existingSecret -}}
{{- $_ := set $env "NOTIFICATION_PROVIDER" "webhook" -}}
{{- $_ := set $env "NOTIFICATION_WEBHOOK_URL" (dict "name" "NOTIFICATION_WEBHOOK_URL" "valueFrom" (dict "secretKeyRef" (dict "name" . "key" $values.webhook.key))) -}}
{{- end -}}
{{- end -}}
{{- $env | toYaml -}}
{{- end -}}

{{/*
Of a service's `migrate`, or nothing where no secret with its owner's URL is named: then the service makes its schema itself, as the role
that it serves as. (dict "root" $ "component" "order")
*/}}
{{- define "ordertx.env.migrations" -}}
{{- $own := dig .component "migrations" dict .root.Values.services -}}
{{- $shared := .root.Values.databases.migrations -}}
{{- if and (hasKey .root.Values.services .component) (or $own.existingSecret $shared.existingSecret) -}}
{{- $owner := include "ordertx.secretRef" (dict "own" $own "ownSetting" (printf "services.%s.migrations" .component) "shared" $shared "sharedSetting" "databases.migrations" "key" .component "holds" (printf "the URL of the %s service's schema owner" .component)) | fromYaml -}}
{{- $env := dict
  "LOG_LEVEL" .root.Values.logLevel
  "DATABASE_MIGRATION_URL" (dict "name" "DATABASE_MIGRATION_URL" "valueFrom" (dict "secretKeyRef" $owner))
-}}
{{- with (include "ordertx.tls" . | fromYaml).env.DATABASE_CA_FILE }}{{- $_ := set $env "DATABASE_CA_FILE" . -}}{{- end -}}
{{- $env | toYaml -}}
{{- end -}}
{{- end -}}
