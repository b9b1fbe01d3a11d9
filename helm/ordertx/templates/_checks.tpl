{{/*
What no schema can say of the values: values that contradict each other fail the render with a sentence. It renders nothing.
*/}}
{{- define "ordertx.check" -}}
{{- include "ordertx.checkRenamed" . -}}
{{- include "ordertx.checkNamespaces" . -}}
{{- end -}}

{{/* The names of the release's services that run here, as a list. */}}
{{- define "ordertx.servicesHere" -}}
{{- keys (omit (include "ordertx.parts" . | fromYaml) "controller") | sortAlpha | toYaml -}}
{{- end -}}

{{/* Flows and the transactions of the release's services lie in its own namespace, and so nowhere else. */}}
{{- define "ordertx.checkNamespaces" -}}
{{- $carried := include "ordertx.watchNamespaces" . | fromYamlArray -}}
{{- if not (has .Release.Namespace $carried) -}}
{{- $sentence := "watchNamespaces leaves out %s, the release's own namespace, where %s: nobody would carry them; name it too, or %s" -}}
{{- with include "ordertx.servicesHere" . | fromYamlArray -}}
{{- fail (printf $sentence $.Release.Namespace (printf "the transactions of its services lie (%s)" (join ", " .)) "turn the services off") -}}
{{- end -}}
{{- if .Values.flows.create -}}
{{- fail (printf $sentence .Release.Namespace "its flows lie, and what they are for" "set flows.create=false") -}}
{{- end -}}
{{- end -}}
{{- end -}}
