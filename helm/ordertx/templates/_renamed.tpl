{{/*
Values that an earlier chart had, or that nearly every other chart has, under another name here. The schema lets them pass so that whoever sets
one is told the name that counts, rather than that there is no such thing; a value of this chart that is renamed or goes joins the list.
*/}}
{{- define "ordertx.renamed" -}}
replicaCount: controller.replicas, and services.<name>.replicas
image: controller.image and services.<name>.image, or imageRegistry and imageTag for all of them
serviceAccount: controller.serviceAccount and services.<name>.serviceAccount
installCRDs: crds.enabled
nameOverride: fullnameOverride
resources: controller.resources and services.<name>.resources
{{- end -}}

{{- define "ordertx.checkRenamed" -}}
{{- range $old, $new := include "ordertx.renamed" . | fromYaml -}}
{{- if hasKey $.Values $old -}}
{{- fail (printf "there is no value %s in this chart: set %s" $old $new) -}}
{{- end -}}
{{- end -}}
{{- end -}}
