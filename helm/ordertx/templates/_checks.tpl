{{/*
What no schema can say of the values: values that contradict each other fail the render with a sentence. It renders nothing.
*/}}
{{- define "ordertx.check" -}}
{{- include "ordertx.checkRenamed" . -}}
{{- include "ordertx.checkNamespaces" . -}}
{{- include "ordertx.checkEndpoints" . -}}
{{- include "ordertx.checkRefunds" . -}}
{{- include "ordertx.checkPaths" . -}}
{{- include "ordertx.checkVariables" . -}}
{{- include "ordertx.checkAccounts" . -}}
{{- include "ordertx.checkPods" . -}}
{{- include "ordertx.checkArchive" . -}}
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

{{/* A flow calls one place. */}}
{{- define "ordertx.checkEndpoints" -}}
{{- range $component, $traits := include "ordertx.traits" . | fromYaml -}}
{{- $values := index $.Values.services $component -}}
{{- if and $traits.participates (not $values.enabled) $values.elsewhere.endpoint.url $values.elsewhere.endpoint.service.name -}}
{{- fail (printf "services.%s.elsewhere.endpoint has a url and a Service, and flows call one of them: take the other out" $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whoever takes money gives it back: a flow without its refund would leave a payment that came too late neither applied nor refunded. */}}
{{- define "ordertx.checkRefunds" -}}
{{- $payment := .Values.services.payment -}}
{{- if and .Values.flows.create (not $payment.enabled) $payment.elsewhere.url (not $payment.elsewhere.consumes) -}}
{{- fail "services.payment.elsewhere.url says where payments are taken, and nobody there hears of refunds, so that the flow pay-order would order none: set services.payment.elsewhere.consumes=true, where it hears the stream payment, or flows.create=false, and bring flows of your own" -}}
{{- end -}}
{{- end -}}

{{/* Who is elsewhere is nobody whom default deny lets pass: values have to say where, or what they ask for is cut off. */}}
{{- define "ordertx.checkPaths" -}}
{{- $policies := .Values.networkPolicies -}}
{{- if and $policies.enabled (not $policies.extraEgress) -}}
{{- $sentence := "%s, and the network policies let %s out to nobody there: say in %s where that is, or set networkPolicies.enabled=false" -}}
{{- if not $policies.participants -}}
{{- $where := "networkPolicies.participants (who also fetch the controller's key set) or networkPolicies.extraEgress" -}}
{{- range $component, $traits := include "ordertx.traits" . | fromYaml -}}
{{- $values := index $.Values.services $component -}}
{{- if and $traits.participates (not $values.enabled) -}}
{{- with $values.elsewhere.endpoint -}}
{{- if or .url .service.name -}}
{{- fail (printf $sentence (printf "services.%s.elsewhere.endpoint is what flows call" $component) "the controller" $where) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.controller.allowEndpoints -}}
{{- fail (printf $sentence (printf "controller.allowEndpoints has %s" (join ", " .)) "the controller" $where) -}}
{{- end -}}
{{- end -}}
{{- range $asker, $asked := dict "order" "payment" "payment" "order" -}}
{{- $other := index $.Values.services $asked -}}
{{- if and (index $.Values.services $asker).enabled (not $other.enabled) $other.elsewhere.url -}}
{{- fail (printf $sentence (printf "services.%s.elsewhere.url is what services.%s asks" $asked $asker) $asker "networkPolicies.extraEgress") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What a variable of extraEnv has a process ask, and by which value the network policies let it out to there. */}}
{{- define "ordertx.checkVariables" -}}
{{- $policies := .Values.networkPolicies -}}
{{- if and $policies.enabled (not $policies.extraEgress) -}}
{{- $settings := dict -}}
{{- if not $policies.collector.port -}}
{{- range list "OTEL_EXPORTER_OTLP_ENDPOINT" "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" }}{{- $_ := set $settings . "networkPolicies.collector.port" -}}{{- end -}}
{{- end -}}
{{- if not .Values.archive.existingSecret }}{{- $_ := set $settings "ARCHIVE_DATABASE_URL" "archive.existingSecret" -}}{{- end -}}
{{- if not .Values.services.payment.refunds.existingSecret }}{{- $_ := set $settings "PAYMENT_REFUND_WEBHOOK_URL" "services.payment.refunds.existingSecret" -}}{{- end -}}
{{- if not .Values.services.notification.webhook.existingSecret }}{{- $_ := set $settings "NOTIFICATION_WEBHOOK_URL" "services.notification.webhook.existingSecret" -}}{{- end -}}
{{- range $component, $values := include "ordertx.parts" . | fromYaml -}}
{{- $setting := ternary "controller" (printf "services.%s" $component) (eq $component "controller") -}}
{{- range $entry := $values.extraEnv -}}
{{- with get $settings $entry.name -}}
{{- fail (printf "%s.extraEnv sets %s, and the network policies let %s out to nobody there: set %s, say in networkPolicies.extraEgress where that is, or set networkPolicies.enabled=false" $setting $entry.name $component .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
An account that has rights is one process's alone. The namespace's account `default` is that of every pod that names none, and participants
take whoever runs as the controller's account for the controller.
*/}}
{{- define "ordertx.checkAccounts" -}}
{{- $controller := include "ordertx.controllerAccount" . -}}
{{- $settings := dict $controller (list "controller.serviceAccount.name") -}}
{{- $withRights := list $controller -}}
{{- $creators := dict -}}
{{- if .Values.controller.serviceAccount.create }}{{- $_ := set $creators $controller (list "controller.serviceAccount") -}}{{- end -}}
{{- range $component := include "ordertx.servicesHere" . | fromYamlArray -}}
{{- $account := include "ordertx.serviceAccount" (dict "root" $ "component" $component) -}}
{{- $_ := set $settings $account (append (get $settings $account | default list) (printf "services.%s.serviceAccount.name" $component)) -}}
{{- if (index $.Values.services $component).serviceAccount.create -}}
{{- $_ := set $creators $account (append (get $creators $account | default list) (printf "services.%s.serviceAccount" $component)) -}}
{{- end -}}
{{- if (index (include "ordertx.traits" $ | fromYaml) $component).creates }}{{- $withRights = append $withRights $account -}}{{- end -}}
{{- end -}}
{{- range $account := $withRights | uniq -}}
{{- $named := get $settings $account -}}
{{- if eq $account "default" -}}
{{- fail (printf "%s is default, the account of every pod that names none: they would have its rights; name another, or none" (join " and " $named)) -}}
{{- else if gt (len $named) 1 -}}
{{- fail (printf "%s are one account, %s, and each would have the other's rights: name two, or none" (join " and " $named) $account) -}}
{{- end -}}
{{- end -}}
{{- range $account, $settings := $creators -}}
{{- if gt (len $settings) 1 -}}
{{- fail (printf "%s each create the account %s, and it is created once: set create=false in all but one of them" (join " and " $settings) $account) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What other objects of the release go by, and what to do instead of setting it. */}}
{{- define "ordertx.fixedVariables" -}}
PORT: leave it out
ADMIN_PORT: leave it out
METRICS_PORT: leave it out
ORDERTX_ALLOW_ENDPOINTS: set controller.allowEndpoints
ORDERTX_AUDIENCE: leave it out
ORDERTX_CONTROLLER_SUBJECT: leave it out
ORDERTX_LEASE_PREFIX: set fullnameOverride
ORDERTX_NAMESPACE: leave it out
ORDERTX_NAMESPACES: set watchNamespaces
ORDERTX_POD: leave it out
ORDERTX_REPLICA: leave it out
ORDERTX_SERVICE_ACCOUNT: set controller.serviceAccount.name
ORDERTX_SHARDS: set controller.shards
{{- end -}}

{{/* What is added to pods does not say anew what the chart says: twice is no YAML, and by another port nobody finds a process. */}}
{{- define "ordertx.checkPods" -}}
{{- $fixed := include "ordertx.fixedVariables" . | fromYaml -}}
{{- range $component, $values := include "ordertx.parts" . | fromYaml -}}
{{- $setting := ternary "controller" (printf "services.%s" $component) (eq $component "controller") -}}
{{- $labels := include "ordertx.labels" (dict "root" $ "component" $component) | fromYaml -}}
{{- $annotations := dict "kubectl.kubernetes.io/default-container" "" -}}
{{- range $each := list (list "podLabels" $values.podLabels $labels) (list "podAnnotations" $values.podAnnotations $annotations) -}}
{{- range $key, $_ := index $each 1 -}}
{{- if hasKey (index $each 2) $key -}}
{{- fail (printf "%s.%s has %s, which the chart says itself: leave it out" $setting (index $each 0) $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $entry := $values.extraEnv -}}
{{- with get $fixed $entry.name -}}
{{- fail (printf "%s.extraEnv sets %s, by which other objects of the release go: %s" $setting $entry.name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What says how the archive is reached is nobody's where there is none: it would be left out without a word. */}}
{{- define "ordertx.checkArchive" -}}
{{- with .Values.archive -}}
{{- if and (not .existingSecret) (or .ca.existingSecret .ca.existingConfigMap) -}}
{{- fail "archive.ca says who signed the archive's certificate, and there is no archive: name the secret with its URL in archive.existingSecret, or take archive.ca out" -}}
{{- end -}}
{{- end -}}
{{- end -}}
