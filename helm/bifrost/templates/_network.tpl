{{/* Rules that several policies have. */}}

{{/* What asks admin listeners. */}}
{{- define "bifrost.askers" -}}
[probe, profiles{{ if .Values.publish.enabled }}, publish{{ end }}]
{{- end -}}

{{/* Prometheus and operators, probe, profiles and publish. */}}
{{- define "bifrost.adminRule" -}}
- from:
    {{- with .Values.networkPolicy.adminFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
          app.kubernetes.io/instance: {{ .Release.Name }}
        matchExpressions:
          - { key: app.kubernetes.io/component, operator: In, values: {{ include "bifrost.askers" . }} }
  ports: [{ port: admin }]
{{- end -}}

{{- define "bifrost.dnsRule" -}}
- ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
{{- end -}}
