{{/* Probe and profiles: what they know of the fleet, and their pods. */}}

{{/* The list of processes. Gateways of a Deployment have no names of their own: their admin Service stands for
     one of them at a time. */}}
{{- define "bifrost.inventory" -}}
{{- $root := . -}}
{{- $values := .Values -}}
{{- $full := include "bifrost.fullname" . -}}
{{- $gateway := include "bifrost.host" (dict "root" . "name" (printf "%s-gateway" $full)) -}}
{{- $common := dict "env" $values.env "region" $values.region "owner" $values.owner "status" "active" -}}
{{- $first := merge (dict "name" (printf "%s-gateway" $full) "kind" "gateway" "url" (printf "http://%s:%d" $gateway (int $values.gateway.service.port)) "runbook" "runbooks/GatewayNotReady.md") $common -}}
{{- if ne $values.profiles.mode "off" -}}
{{- $_ := set $first "admin" (printf "http://%s:9080" (include "bifrost.host" (dict "root" . "name" (printf "%s-gateway-admin" $full)))) -}}
{{- end -}}
{{- $all := list $first -}}
{{- range $staging := list false true -}}
{{- if or (not $staging) $values.staging.enabled -}}
{{- range (include "bifrost.groups" (dict "root" $root "staging" $staging) | fromYaml).groups -}}
{{- $group := . -}}
{{- range $index, $pod := .pods -}}
{{- $host := printf "%s.%s" $pod $group.host -}}
{{- $node := dict "name" $pod "kind" "node" "role" $group.role "env" (ternary "staging" $values.env $staging) "admin" (printf "http://%s:9180" $host) "libp2p" (list (printf "/dns/%s/tcp/4180" $host) (printf "/dns/%s/udp/4180/quic-v1" $host)) "runbook" "runbooks/NodeUnreachable.md" -}}
{{- with $group.peerIds -}}
{{- $_ := set $node "peer_id" (index . $index) -}}
{{- end -}}
{{- $all = append $all (merge $node $common) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $environments := list $values.env -}}
{{- if $values.staging.enabled -}}
{{- $environments = append $environments "staging" -}}
{{- end -}}
{{- toYaml (dict "version" 1 "environments" (uniq $environments) "processes" $all) -}}
{{- end -}}

{{/* What is probed. */}}
{{- define "bifrost.probeConfig" -}}
{{- $values := .Values -}}
{{- $keys := dict "version" "it is that of the format" "gateways" "set probe.gateways instead" "seed_nodes" "set probe.seed instead" "inventory" "it is that of the release" "env" "set env instead" -}}
{{- include "bifrost.owned" (dict "at" "probe.extraConfig" "config" $values.probe.extraConfig "keys" $keys) -}}
{{- $own := dict "version" 1 "inventory" "inventory.yaml" "env" $values.env "gateways" $values.probe.gateways -}}
{{- $seeds := list -}}
{{- range (include "bifrost.groups" (dict "root" . "staging" false) | fromYaml).groups -}}
{{- $host := .host -}}
{{- range .pods -}}
{{- $seeds = append $seeds (printf "http://%s.%s:9180" . $host) -}}
{{- end -}}
{{- end -}}
{{- if $values.probe.seed -}}
{{- $_ := set $own "seed_nodes" $seeds -}}
{{- end -}}
{{- toYaml (mergeOverwrite $own (deepCopy $values.probe.extraConfig)) -}}
{{- end -}}

{{/* Takes root, component, port, sum, resources and args. */}}
{{- define "bifrost.opsDeployment" -}}
{{- $who := dict "root" .root "component" .component "env" .root.Values.env -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "bifrost.fullname" .root }}-{{ .component }}
  labels: {{- include "bifrost.labels" $who | nindent 4 }}
spec:
  replicas: 1
  revisionHistoryLimit: 5
  # Two at a time would count everything twice, or wait for one volume.
  strategy: { type: Recreate }
  selector:
    matchLabels: {{- include "bifrost.selector" $who | nindent 6 }}
  template:
    metadata:
      labels: {{- include "bifrost.podLabels" (merge (dict "extra" .root.Values.ops.podLabels) $who) | nindent 8 }}
      annotations:
        checksum/config: {{ .sum }}
        {{- with .root.Values.ops.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "bifrost.opsPod" . | nindent 6 }}
{{- end -}}

{{/* Takes root, component, resources, args and, of what listens, port. */}}
{{- define "bifrost.opsPod" -}}
{{- $values := .root.Values -}}
{{- $name := printf "%s-%s" (include "bifrost.fullname" .root) .component -}}
{{- $volume := and (eq .component "profiles") (not $values.profiles.store) -}}
{{- include "bifrost.pod" (dict "root" .root "own" $values.ops) }}
terminationGracePeriodSeconds: 30
containers:
  - name: {{ .component }}
    image: {{ include "bifrost.image" .root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    command: [/usr/bin/bifrost]
    args: {{- toYaml .args | nindent 6 }}
    {{- include "bifrost.container" .root | nindent 4 }}
    env:
      {{- include "bifrost.env" .root | nindent 6 }}
    {{- if and (eq .component "profiles") $values.profiles.credentialsSecretName }}
    envFrom:
      - secretRef: { name: {{ $values.profiles.credentialsSecretName }} }
    {{- end }}
    {{- if .port }}
    ports:
      - { name: admin, containerPort: {{ .port }} }
    startupProbe:
      httpGet: { path: /livez, port: admin }
      periodSeconds: 2
      timeoutSeconds: 2
      failureThreshold: 30
    readinessProbe:
      httpGet: { path: /readyz, port: admin }
      periodSeconds: 10
      timeoutSeconds: 2
      failureThreshold: 2
    livenessProbe:
      httpGet: { path: /livez, port: admin }
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    {{- end }}
    resources: {{- toYaml .resources | nindent 6 }}
    volumeMounts:
      - { name: config, mountPath: /etc/bifrost, readOnly: true }
      - { name: tmp, mountPath: /tmp }
      {{- if $volume }}
      - { name: profiles, mountPath: /var/lib/bifrost }
      {{- end }}
volumes:
  - name: config
    configMap: { name: {{ include "bifrost.fullname" .root }}-ops }
  - name: tmp
    emptyDir: { sizeLimit: 1Gi }
  {{- if $volume }}
  - name: profiles
    persistentVolumeClaim: { claimName: {{ $name }} }
  {{- end }}
{{- end -}}
