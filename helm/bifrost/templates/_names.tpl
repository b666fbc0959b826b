{{/* Names, labels and images. Names are cut so that the longest suffix of the chart still fits. */}}

{{- define "bifrost.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 28 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 28 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 28 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes of a component's labels. Takes root, component and, of nodes, group. */}}
{{- define "bifrost.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .group }}
bifrost/group: {{ . }}
{{- end }}
{{- end -}}

{{- define "bifrost.labels" -}}
{{ include "bifrost.selector" . }}
app.kubernetes.io/part-of: bifrost
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of a pod: those of its selector, and those that the values add. Takes env, role and extra too. */}}
{{- define "bifrost.podLabels" -}}
{{ include "bifrost.selector" . }}
app.kubernetes.io/part-of: bifrost
bifrost/env: {{ .env }}
{{- with .role }}
bifrost/role: {{ . }}
{{- end }}
{{- with merge (dict) (.extra | default dict) .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "bifrost.serviceAccount" -}}
{{- default (ternary (include "bifrost.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{/* The image of production. */}}
{{- define "bifrost.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "bifrost.stagingImage" -}}
{{- $repository := default .Values.image.repository .Values.staging.image.repository -}}
{{- with .Values.staging.image -}}
{{- if .digest -}}{{ $repository }}@{{ .digest }}{{- else -}}{{ $repository }}:{{ .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* The name of a Service within the cluster. Takes root and name. */}}
{{- define "bifrost.host" -}}
{{- printf "%s.%s.svc.%s" .name .root.Release.Namespace .root.Values.clusterDomain -}}
{{- end -}}

{{/* The address that listens for everybody who may come. */}}
{{- define "bifrost.any" -}}
{{- ternary "[::]" "0.0.0.0" (has "IPv6" .Values.ipFamilies) -}}
{{- end -}}

{{/* The families of a Service. */}}
{{- define "bifrost.families" -}}
ipFamilyPolicy: {{ ternary "SingleStack" "PreferDualStack" (eq (len .Values.ipFamilies) 1) }}
ipFamilies: {{ toJson .Values.ipFamilies }}
{{- end -}}
