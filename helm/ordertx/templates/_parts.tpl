{{/*
The processes that this release runs, as a map from component to its values: the controller and the services that are enabled.
*/}}
{{- define "ordertx.parts" -}}
{{- $parts := dict "controller" .Values.controller -}}
{{- range $component, $traits := include "ordertx.traits" . | fromYaml -}}
{{- $values := index $.Values.services $component -}}
{{- if $values.enabled }}{{- $_ := set $parts $component $values -}}{{- end -}}
{{- end -}}
{{- $parts | toYaml -}}
{{- end -}}
