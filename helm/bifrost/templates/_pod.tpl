{{/* What the pods of all components have alike. */}}

{{/* Takes root and own, the values of the component. */}}
{{- define "bifrost.pod" -}}
serviceAccountName: {{ include "bifrost.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .own.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "bifrost.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* Spreads pods over zones and machines. Takes root, component, group and spread, and
     revision, the label of pods of one revision. */}}
{{- define "bifrost.spread" -}}
topologySpreadConstraints:
{{- range $key, $when := dict "topology.kubernetes.io/zone" .spread.zones "kubernetes.io/hostname" .spread.hosts }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: {{ $when }}
    labelSelector:
      matchLabels: {{- include "bifrost.selector" $ | nindent 8 }}
    {{- with $.revision }}
    matchLabelKeys: [{{ . }}]
    {{- end }}
{{- end }}
{{- end -}}

{{/* The token of the admin listeners, and under which name records are written. */}}
{{- define "bifrost.env" -}}
- name: BIFROST_ADMIN__TOKEN
  valueFrom:
    secretKeyRef: { name: {{ .Values.adminToken.secretName }}, key: {{ .Values.adminToken.key }} }
{{- end -}}

{{- define "bifrost.podName" -}}
- name: POD_NAME
  valueFrom:
    fieldRef: { fieldPath: metadata.name }
- name: BIFROST_ACCESS__NAME
  value: $(POD_NAME)
{{- end -}}

{{/* What a configuration of gateways is read with. Takes root and own, the values of gateways. */}}
{{- define "bifrost.gatewayEnv" -}}
{{ include "bifrost.env" .root }}
{{ include "bifrost.podName" .root }}
{{- with .own.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Startup waits for the first readiness, since liveness asks only whether the process answers. Both paths
     of the admin listener need no token. Takes startup, the seconds that a start may take. */}}
{{- define "bifrost.probes" -}}
startupProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div .startup 2 }}
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 3
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /livez, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}
