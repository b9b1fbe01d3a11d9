{{/*
The Deployment of a process, the controller's or a service's:
  (dict "root" $ "component" "order" "values" .Values.services.order "env" $env "account" name "token" true "ports" (dict "http" 8080))
*/}}
{{- define "ordertx.deployment" -}}
{{- $tls := include "ordertx.tls" . | fromYaml -}}
{{- $selector := include "ordertx.selectorLabels" . -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "ordertx.componentName" . | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "ordertx.labels" . | nindent 4 }}
spec:
  replicas: {{ .values.replicas }}
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  template:
    metadata:
      labels:
        {{- include "ordertx.labels" . | nindent 8 }}
        {{- with .values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .component }}
        {{- with .values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ .account | quote }}
      automountServiceAccountToken: {{ .token }}
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ add 30 .root.Values.preStopSeconds }}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.priorityClassName | default .root.Values.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      securityContext:
        {{- include "ordertx.podSecurity" .root | nindent 8 }}
      {{- if gt (int .values.replicas) 1 }}
      topologySpreadConstraints:
        {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ $key }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      {{- end }}
      {{- with .values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with include "ordertx.env.migrations" . }}
      # As the owner of the tables, whose password whoever serves has no need of. Of several pods one makes the changes, the others wait.
      initContainers:
        - name: migrate
          image: {{ include "ordertx.image" (dict "root" $.root "image" $.values.image) }}
          imagePullPolicy: {{ $.root.Values.imagePullPolicy }}
          args: [migrate]
          env:
            {{- include "ordertx.env.list" (dict "env" (fromYaml .) "extraEnv" $.values.extraEnv) | nindent 12 }}
          {{- include "ordertx.containerRest" (dict "values" $.values "tls" $tls) | nindent 10 }}
      {{- end }}
      containers:
        - name: {{ .component | quote }}
          image: {{ include "ordertx.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: {{ .root.Values.imagePullPolicy }}
          env:
            {{- include "ordertx.env.list" (dict "env" .env "extraEnv" .values.extraEnv) | nindent 12 }}
          ports:
            {{- range $name, $port := .ports }}
            - name: {{ $name | quote }}
              containerPort: {{ $port }}
              protocol: TCP
            {{- end }}
          startupProbe:
            httpGet:
              path: /healthz
              port: http
            periodSeconds: 2
            timeoutSeconds: 3
            # A change of the schema may wait for others before the port is opened.
            failureThreshold: 150
          livenessProbe:
            httpGet:
              path: /healthz
              port: http
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet:
              path: /readyz
              port: http
            periodSeconds: 5
            timeoutSeconds: 3
            failureThreshold: 2
          {{- if .root.Values.preStopSeconds }}
          lifecycle:
            # Whoever sends requests here hears a little later that it is to end: until then it answers.
            preStop:
              sleep:
                seconds: {{ int .root.Values.preStopSeconds }}
          {{- end }}
          {{- include "ordertx.containerRest" (dict "values" .values "tls" $tls) | nindent 10 }}
      {{- with $tls.sources }}
      volumes:
        - name: tls
          projected:
            # 0440: the process's group, and nobody else.
            defaultMode: 288
            sources:
              {{- toYaml . | nindent 14 }}
      {{- end }}
{{- end -}}

{{/* As whom a pod runs: by number, for images name nobody, or as whom the cluster says. */}}
{{- define "ordertx.podSecurity" -}}
runAsNonRoot: true
{{- if .Values.fixedUser }}
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* What every container of a process has: (dict "values" .Values.services.order "tls" $tls). */}}
{{- define "ordertx.containerRest" -}}
resources:
  {{- toYaml .values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- if .tls.sources }}
volumeMounts:
  - name: tls
    mountPath: {{ include "ordertx.tls.folder" . }}
    readOnly: true
{{- end }}
{{- end -}}
