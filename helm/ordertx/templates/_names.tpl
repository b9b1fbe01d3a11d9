{{/*
Names. A release's name may have 53 characters and a Service's 63, of which the longest component takes 13 (-notification): what is
longer than 45 is cut, and told from others that begin alike by a digest of the whole. A release's name may have dots and begin with a
digit, and a Service's may not. Where an umbrella chart has this one under an alias, the chart's name is that.
*/}}

{{- define "ordertx.fullname" -}}
{{- $chart := .Chart.Name | lower | replace "_" "-" -}}
{{- $full := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name)) -}}
{{- if not (regexMatch "^[a-z]" $full) -}}
{{- fail (printf "the release's name %s begins with a digit, which the name of a Service may not: say in fullnameOverride what names begin with" .Release.Name) -}}
{{- end -}}
{{- $plain := replace "." "-" $full -}}
{{- if or (gt (len $plain) 45) (ne $plain $full) -}}
{{- printf "%s-%s" ($plain | trunc 36 | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{/*
The name of one of the release's parts: (dict "root" $ "component" "order"). The stores for trying out are StatefulSets, whose pods carry the
name and 11 characters more in a label.
*/}}
{{- define "ordertx.componentName" -}}
{{- $full := include "ordertx.fullname" .root -}}
{{- $name := printf "%s-%s" $full .component -}}
{{- if and (hasPrefix "try-" .component) (gt (len $name) 52) -}}
{{- printf "%s-%s-%s" ($full | trunc 30 | trimSuffix "-") (sha256sum $full | trunc 8) .component -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/*
A name for what other namespaces see, so that releases in different ones do not meet: (dict "root" $ "part" "view"). Its three parts are
told apart by dots, which none of them has: with hyphens, shop-eu/ordertx and shop/eu-ordertx would have one name. Such names may be long.
*/}}
{{- define "ordertx.clusterName" -}}
{{- printf "%s.%s.%s" .root.Release.Namespace (include "ordertx.fullname" .root) .part -}}
{{- end -}}

{{/*
What this chart's pods are told from all others by: of two copies in one release by the alias that each has. A Deployment's selector can
never be changed, so this cannot either.
*/}}
{{- define "ordertx.instanceLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* What a component's pods are selected by. */}}
{{- define "ordertx.selectorLabels" -}}
{{ include "ordertx.instanceLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "ordertx.commonLabels" -}}
{{ include "ordertx.instanceLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: ordertx
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "ordertx.labels" -}}
{{ include "ordertx.commonLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The controller's service account, which its tokens name and participants check. */}}
{{- define "ordertx.controllerAccount" -}}
{{- .Values.controller.serviceAccount.name | default (include "ordertx.componentName" (dict "root" . "component" "controller")) -}}
{{- end -}}

{{/* The account of a service: (dict "root" $ "component" "order"). */}}
{{- define "ordertx.serviceAccount" -}}
{{- $values := index .root.Values.services .component -}}
{{- $values.serviceAccount.name | default (include "ordertx.componentName" .) -}}
{{- end -}}

{{/* The namespaces whose transactions the controller carries, as a list: {{ include ... | fromYamlArray }}. */}}
{{- define "ordertx.watchNamespaces" -}}
{{- .Values.watchNamespaces | default (list .Release.Namespace) | uniq | sortAlpha | toYaml -}}
{{- end -}}

{{/* The image of a component: (dict "root" $ "image" .Values.controller.image). A digest says more than a tag, so it wins. */}}
{{- define "ordertx.image" -}}
{{- $registry := .root.Values.imageRegistry | default "" -}}
{{- $repository := ternary .image.repository (printf "%s/%s" (trimSuffix "/" $registry) .image.repository) (empty $registry) -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.image.tag | default .root.Values.imageTag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The controller's Role in each namespace it watches; named by its release's namespace too, because two releases may watch one. */}}
{{- define "ordertx.watchRoleName" -}}
{{- include "ordertx.clusterName" (dict "root" . "part" "controller") -}}
{{- end -}}
