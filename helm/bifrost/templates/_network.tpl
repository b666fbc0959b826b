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

{{/* Leads to a URL. Of a Service the pod's own port counts, which its URL does not have: any pod may be meant.
     Takes root and url. */}}
{{- define "bifrost.urlRule" -}}
{{- $url := urlParse .url -}}
{{- $host := trimSuffix "." $url.hostname -}}
{{- if or (not (regexMatch "[.:]" $host)) (hasSuffix ".svc" (trimSuffix (printf ".%s" .root.Values.clusterDomain) $host)) -}}
- to: [{ namespaceSelector: {} }]
{{- else -}}
- ports: [{ port: {{ regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) }} }]
{{- end -}}
{{- end -}}
