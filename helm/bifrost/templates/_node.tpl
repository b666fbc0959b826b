{{/* A group of nodes, with its configuration and its Service: of production, or of staging. Takes root,
     staging, component, group, own and image. */}}
{{- define "bifrost.node" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $own := .own -}}
{{- $group := .group -}}
{{- $name := .group.service -}}
{{- $config := include "bifrost.nodeConfig" (dict "root" $root "staging" .staging "group" .group) -}}
{{- $who := dict "root" $root "component" .component "group" .group.name "env" (ternary "staging" $values.env .staging) -}}
{{- /* What a group says of itself goes before what is said for all. */ -}}
{{- $place := dict "priorityClassName" $own.priorityClassName "affinity" $own.affinity "nodeSelector" (default $own.nodeSelector .group.nodeSelector) "tolerations" (default $own.tolerations .group.tolerations) -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels: {{- include "bifrost.labels" $who | nindent 4 }}
data:
  node.yaml: | {{- $config | nindent 4 }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $name }}
  labels: {{- include "bifrost.labels" $who | nindent 4 }}
spec:
  replicas: {{ .group.replicas }}
  serviceName: {{ $name }}
  podManagementPolicy: Parallel
  revisionHistoryLimit: 5
  minReadySeconds: 10
  updateStrategy:
    type: RollingUpdate
    rollingUpdate: { partition: {{ .group.partition | default 0 }} }
  selector:
    matchLabels: {{- include "bifrost.selector" $who | nindent 6 }}
  template:
    metadata:
      labels: {{- include "bifrost.podLabels" (merge (dict "extra" $own.podLabels "role" .group.role) $who) | nindent 8 }}
      annotations:
        kubectl.kubernetes.io/default-container: node
        checksum/config: {{ $config | sha256sum }}
        {{- with $own.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "bifrost.pod" (dict "root" $root "own" $place) | nindent 6 }}
      {{- include "bifrost.spread" (merge (dict "spread" $own.spread) $who) | nindent 6 }}
      # The drain, and what it takes to leave peers and close the store.
      terminationGracePeriodSeconds: {{ add $values.nodes.drain.timeoutSeconds 30 }}
      containers:
        - name: node
          image: {{ .image }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          command: [/usr/bin/bifrost-node]
          args: [--config, /etc/bifrost/node.yaml]
          {{- include "bifrost.container" $root | nindent 10 }}
          env:
            {{- include "bifrost.env" $root | nindent 12 }}
            {{- include "bifrost.podName" $root | nindent 12 }}
            {{- with $own.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - { name: http, containerPort: 8180 }
            - { name: admin, containerPort: 9180 }
            - { name: p2p-tcp, containerPort: 4180 }
            - { name: p2p-quic, containerPort: 4180, protocol: UDP }
          # After a crash a store is read again from its last checkpoint.
          {{- include "bifrost.probes" (dict "startup" 1800) | nindent 10 }}
          resources: {{- toYaml (default $own.resources .group.resources) | nindent 12 }}
          volumeMounts:
            - { name: config, mountPath: /etc/bifrost/node.yaml, subPath: node.yaml, readOnly: true }
            {{- if .group.identitySecretName }}
            - { name: identity, mountPath: /etc/bifrost/identity.key, subPathExpr: $(POD_NAME).key, readOnly: true }
            {{- end }}
            - { name: data, mountPath: /var/lib/bifrost }
            - { name: tmp, mountPath: /tmp }
      volumes:
        - name: config
          configMap: { name: {{ $name }} }
        {{- with .group.identitySecretName }}
        - name: identity
          # Mode 0400; its group gets to read it too.
          secret: { secretName: {{ . }}, defaultMode: 256 }
        {{- end }}
        - name: tmp
          emptyDir: { sizeLimit: 256Mi }
  volumeClaimTemplates:
    # Fields that cannot be changed: no label in it may depend on a version.
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: data
        labels: {{- include "bifrost.selector" $who | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: {{ .group.storage.className }}
        resources:
          requests: { storage: {{ .group.storage.size }} }
---
# Gives each pod a name: gateways know nodes one by one.
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels: {{- include "bifrost.labels" $who | nindent 4 }}
spec:
  clusterIP: None
  {{- include "bifrost.families" $root | nindent 2 }}
  selector: {{- include "bifrost.selector" $who | nindent 4 }}
  ports:
    - { name: http, port: 8180, targetPort: http, appProtocol: http }
    - { name: admin, port: 9180, targetPort: admin, appProtocol: http }
    - { name: p2p-tcp, port: 4180, targetPort: p2p-tcp }
    - { name: p2p-quic, port: 4180, targetPort: p2p-quic, protocol: UDP }
{{- end -}}
