{{/*
Whether an object of a kind that not every cluster knows is rendered; "true" or nothing:
  (dict "root" $ "api" "monitoring.coreos.com/v1/ServiceMonitor" "mode" .Values.x.renderMode "setting" "x.renderMode")
*/}}
{{- define "ordertx.renders" -}}
{{- if eq .mode "alwaysRender" -}}
true
{{- else if .root.Capabilities.APIVersions.Has .api -}}
true
{{- else if eq .mode "failIfMissing" -}}
{{- fail (printf "%s is failIfMissing, and this cluster does not serve %s: install what defines it, or set %s to skipIfMissing or alwaysRender (where helm renders without a cluster, --api-versions %s says that it is served)" .setting .api .setting .api) -}}
{{- end -}}
{{- end -}}
