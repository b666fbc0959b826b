{{/* Gateways, with their configuration and their Service: of production, or of staging. Takes root, staging,
     component, own, replicas, resources and image. */}}
{{- define "bifrost.gateway" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $name := printf "%s-%s" (include "bifrost.fullname" $root) .component -}}
{{- $config := include "bifrost.gatewayConfig" (dict "root" $root "staging" .staging) -}}
{{- $who := dict "root" $root "component" .component "env" (ternary "staging" $values.env .staging) -}}
{{- $mirrors := and (not .staging) (include "bifrost.mirrorTo" $root) -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels: {{- include "bifrost.labels" $who | nindent 4 }}
data:
  gateway.yaml: | {{- $config | nindent 4 }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels: {{- include "bifrost.labels" $who | nindent 4 }}
spec:
  {{- if or .staging (not $values.gateway.autoscaling.enabled) }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  selector:
    matchLabels: {{- include "bifrost.selector" $who | nindent 6 }}
  template:
    metadata:
      labels: {{- include "bifrost.podLabels" (merge (dict "extra" .own.podLabels) $who) | nindent 8 }}
      annotations:
        kubectl.kubernetes.io/default-container: gateway
        # A change of the configuration replaces the pods: not all of it can be read again.
        checksum/config: {{ $config | sha256sum }}
        {{- with .own.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "bifrost.pod" (dict "root" $root "own" .own) | nindent 6 }}
      {{- include "bifrost.spread" (merge (dict "spread" .own.spread "revision" "pod-template-hash") $who) | nindent 6 }}
      # Both parts of the drain, and what it takes to end tasks and logs.
      terminationGracePeriodSeconds: {{ add $values.gateway.drain.windowSeconds $values.gateway.drain.timeoutSeconds 30 }}
      containers:
        - name: gateway
          image: {{ .image }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          command: [/usr/bin/bifrost-gateway]
          args: [--config, /etc/bifrost/gateway.yaml]
          {{- include "bifrost.container" $root | nindent 10 }}
          env:
            {{- include "bifrost.gatewayEnv" (dict "root" $root "own" .own) | nindent 12 }}
          ports:
            - { name: http, containerPort: 8080 }
            - { name: admin, containerPort: 9080 }
          {{- include "bifrost.probes" (dict "startup" 300) | nindent 10 }}
          resources: {{- toYaml .resources | nindent 12 }}
          volumeMounts:
            - { name: config, mountPath: /etc/bifrost, readOnly: true }
            - { name: tmp, mountPath: /tmp }
            {{- if $mirrors }}
            - { name: mirror, mountPath: /var/lib/bifrost/mirror }
            {{- end }}
            {{- with .own.volumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - name: config
          configMap: { name: {{ $name }} }
        - name: tmp
          emptyDir: { sizeLimit: 256Mi }
        {{- if $mirrors }}
        - name: mirror
          emptyDir: { sizeLimit: {{ $values.mirror.size }} }
        {{- end }}
        {{- with .own.volumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels: {{- include "bifrost.labels" $who | nindent 4 }}
  {{- if not .staging }}
  {{- with $values.gateway.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
spec:
  {{- if .staging }}
  type: ClusterIP
  {{- else }}
  type: {{ $values.gateway.service.type }}
  {{- if ne $values.gateway.service.type "ClusterIP" }}
  externalTrafficPolicy: {{ $values.gateway.service.externalTrafficPolicy }}
  {{- end }}
  {{- end }}
  {{- include "bifrost.families" $root | nindent 2 }}
  selector: {{- include "bifrost.selector" $who | nindent 4 }}
  ports:
    - { name: http, port: {{ ternary 80 $values.gateway.service.port .staging }}, targetPort: http, appProtocol: http }
{{- end -}}
