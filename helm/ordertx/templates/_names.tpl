{{/*
Names. A release's name may have 53 characters and a Service's 63, of which the longest component takes 13 (-notification): what is
longer than 45 is cut, and told from others that begin alike by a digest of the whole.
*/}}

{{- define "ordertx.fullname" -}}
{{- $full := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-ordertx" .Release.Name) (contains "ordertx" .Release.Name)) -}}
{{- if gt (len $full) 45 -}}
{{- printf "%s-%s" ($full | trunc 36 | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{/* The name of one of the release's parts: (dict "root" $ "component" "order"). */}}
{{- define "ordertx.componentName" -}}
{{- printf "%s-%s" (include "ordertx.fullname" .root) .component -}}
{{- end -}}

{{/*
A name for what other namespaces see, so that releases in different ones do not meet: (dict "root" $ "part" "view"). Its three parts are
told apart by dots, which none of them has: with hyphens, shop-eu/ordertx and shop/eu-ordertx would have one name. Such names may be long.
*/}}
{{- define "ordertx.clusterName" -}}
{{- printf "%s.%s.%s" .root.Release.Namespace (include "ordertx.fullname" .root) .part -}}
{{- end -}}

{{/* What a component's pods are selected by. A Deployment's selector can never be changed, so this cannot either. */}}
{{- define "ordertx.selectorLabels" -}}
app.kubernetes.io/name: ordertx
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "ordertx.commonLabels" -}}
app.kubernetes.io/name: ordertx
app.kubernetes.io/instance: {{ .Release.Name }}
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
{{- $registry := .root.Values.imageRegistry -}}
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
