{{/*
The services: what each one is, and where others find it.
*/}}

{{/*
What a service is, whatever the values say. participates: the flows call it, at its admin port. redis: it hears messages or starts some.
creates: it creates transactions.
*/}}
{{- define "ordertx.traits" -}}
order: { participates: true, redis: true, creates: true }
inventory: { participates: true, redis: false, creates: false }
payment: { participates: false, redis: true, creates: false }
dispatch: { participates: false, redis: true, creates: false }
wms: { participates: false, redis: true, creates: false }
member: { participates: false, redis: true, creates: false }
notification: { participates: false, redis: true, creates: false }
{{- end -}}

{{/* Where a service's public routes are: (dict "root" $ "component" "order" "asker" "payment" "why" "what an order costs"). */}}
{{- define "ordertx.publicUrl" -}}
{{- $values := index .root.Values.services .component -}}
{{- if $values.enabled -}}
{{- printf "http://%s:8080" (include "ordertx.componentName" .) -}}
{{- else -}}
{{- required (printf "services.%s asks the %s service %s: enable services.%s, or say in services.%s.elsewhere.url where it is" .asker .component .why .component .component) $values.elsewhere.url -}}
{{- end -}}
{{- end -}}

{{/* A participant's endpoint in flows, as YAML: (dict "root" $ "component" "inventory" "flow" "create-order"). */}}
{{- define "ordertx.endpoint" -}}
{{- $values := index .root.Values.services .component -}}
{{- $elsewhere := $values.elsewhere -}}
{{- if $values.enabled -}}
{{- dict "service" (dict "name" (include "ordertx.componentName" .) "port" 8081) | toYaml -}}
{{- else if $elsewhere.endpoint.url -}}
{{- dict "url" $elsewhere.endpoint.url | toYaml -}}
{{- else if $elsewhere.endpoint.service.name -}}
{{- $service := dict "name" $elsewhere.endpoint.service.name "port" (int $elsewhere.endpoint.service.port) -}}
{{- with $elsewhere.endpoint.service.namespace }}{{- $_ := set $service "namespace" . -}}{{- end -}}
{{- dict "service" $service | toYaml -}}
{{- else -}}
{{- fail (printf "the flow %s calls %s, which is neither here nor elsewhere: enable services.%s, name services.%s.elsewhere.endpoint, or set flows.create=false and bring flows of your own" .flow .component .component .component) -}}
{{- end -}}
{{- end -}}

{{/* Whether anybody hears a stream: "true" or nothing. */}}
{{- define "ordertx.hears" -}}
{{- $values := index .root.Values.services .component | default dict -}}
{{- if or $values.enabled (dig "elsewhere" "consumes" false $values) -}}true{{- end -}}
{{- end -}}

{{/* What the controller may call outside its transactions' namespaces, comma-separated: what flows of this chart name, and the values' own. */}}
{{- define "ordertx.allowEndpoints" -}}
{{- $allowed := .Values.controller.allowEndpoints | default list -}}
{{- range $component, $traits := include "ordertx.traits" . | fromYaml -}}
{{- $values := index $.Values.services $component -}}
{{- if and $traits.participates (not $values.enabled) -}}
{{- $endpoint := $values.elsewhere.endpoint -}}
{{- if $endpoint.url -}}
{{- $url := urlParse $endpoint.url -}}
{{- $allowed = append $allowed (printf "%s://%s" $url.scheme $url.host) -}}
{{- else if and $endpoint.service.name $endpoint.service.namespace -}}
{{- $allowed = append $allowed (printf "%s.%s" $endpoint.service.name $endpoint.service.namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $allowed | uniq | sortAlpha | join "," -}}
{{- end -}}
