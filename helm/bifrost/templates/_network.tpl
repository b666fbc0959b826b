{{/* Rules that several policies have. */}}

{{/* Prometheus and operators, probe and profiles. */}}
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
          - { key: app.kubernetes.io/component, operator: In, values: [probe, profiles] }
  ports: [{ port: admin }]
{{- end -}}

{{- define "bifrost.dnsRule" -}}
- ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
{{- end -}}
