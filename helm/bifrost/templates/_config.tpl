{{/* The configuration files, as the binaries read them. What the chart writes nobody else may: a second
     place for the same key would be one that is not heeded. */}}

{{/* Refuses keys. Takes at, config and keys. */}}
{{- define "bifrost.owned" -}}
{{- range $key, $instead := .keys -}}
{{- $place := $.config -}}
{{- $found := true -}}
{{- range $part := splitList "." $key -}}
{{- if and $found (kindIs "map" $place) (hasKey $place $part) -}}
{{- $place = get $place $part -}}
{{- else -}}
{{- $found = false -}}
{{- end -}}
{{- end -}}
{{- if $found -}}
{{- fail (printf "%s has %s, which the chart writes itself: %s" $.at $key $instead) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "bifrost.ownedByGateway" -}}
server.listen: set gateway.service instead
server.drain_window: set gateway.drain.windowSeconds instead
server.drain_timeout: set gateway.drain.timeoutSeconds instead
admin.listen: it is on a port of its own, which no public Service has
admin.token: put it into the Secret that adminToken.secretName names
hosts.table: set gateway.hosts.table instead
hosts.trusted_proxies: set gateway.hosts.trustedProxies instead
hosts.probes: set podRanges instead
hosts.mirrors: set mirror.from instead, or podRanges where staging is enabled
upstream.nodes: set nodes.roles or nodes.external instead
mirror.to: set mirror.to or staging.enabled instead
mirror.fraction: set mirror.fraction instead
mirror.dir: it is a volume of the pod
mirror.keep_bytes: set mirror.size instead
access.env: set env instead
access.name: it is the name of the pod
{{- end -}}

{{- define "bifrost.ownedByNode" -}}
dir: it is on the volume of the pod
http.listen: it is on the port that gateways ask
admin.listen: it is on a port of its own, which no public Service has
admin.token: put it into the Secret that adminToken.secretName names
blockstore.dir: it is on the volume of the pod
swarm.listen: set ipFamilies instead
swarm.reach: set nodes.peers.reach instead
swarm.identity_file: set identitySecretName of the group instead
drain.patience: set nodes.drain.timeoutSeconds instead
access.env: set env instead
access.name: it is the name of the pod
{{- end -}}

{{/* Groups of nodes: of production, or of staging. Takes root and staging. */}}
{{- define "bifrost.groups" -}}
{{- $values := .root.Values -}}
{{- $full := include "bifrost.fullname" .root -}}
{{- $groups := list -}}
{{- if .staging -}}
{{- with $values.staging.nodes -}}
{{- $groups = list (dict "name" "pool" "role" "pool" "replicas" .replicas "storage" .storage "resources" .resources "extraConfig" .extraConfig "at" "staging.nodes.extraConfig") -}}
{{- end -}}
{{- else -}}
{{- range $values.nodes.roles -}}
{{- $groups = append $groups (merge (dict "at" (printf "extraConfig of the group %s" .name)) (deepCopy .)) -}}
{{- end -}}
{{- end -}}
{{- $made := list -}}
{{- range $groups -}}
{{- $service := printf "%s-%snode-%s" $full (ternary "staging-" "" $.staging) .name -}}
{{- $pods := list -}}
{{- range $index := until (int .replicas) -}}
{{- $pods = append $pods (printf "%s-%d" $service $index) -}}
{{- end -}}
{{- $made = append $made (merge (dict "service" $service "pods" $pods "host" (include "bifrost.host" (dict "root" $.root "name" $service))) .) -}}
{{- end -}}
{{- toYaml (dict "groups" $made) -}}
{{- end -}}

{{/* What a gateway reads. Takes root and staging. */}}
{{- define "bifrost.gatewayConfig" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $full := include "bifrost.fullname" $root -}}
{{- $nodes := list -}}
{{- range (include "bifrost.groups" . | fromYaml).groups -}}
{{- $host := .host -}}
{{- range .pods -}}
{{- $nodes = append $nodes (dict "url" (printf "http://%s.%s:8180" . $host)) -}}
{{- end -}}
{{- end -}}
{{- if not .staging -}}
{{- $nodes = concat $nodes $values.nodes.external -}}
{{- end -}}
{{- $table := $values.gateway.hosts.table -}}
{{- if and $values.probe.enabled (not .staging) -}}
{{- $table = append $table (dict "name" (include "bifrost.host" (dict "root" $root "name" (printf "%s-gateway" $full))) "class" "path") -}}
{{- end -}}
{{- $hosts := dict "table" $table "trusted_proxies" $values.gateway.hosts.trustedProxies -}}
{{- if .staging -}}
{{- $_ := set $hosts "mirrors" $values.podRanges -}}
{{- else -}}
{{- with $values.mirror.from -}}
{{- $_ := set $hosts "mirrors" . -}}
{{- end -}}
{{- if $values.probe.enabled -}}
{{- $_ := set $hosts "probes" $values.podRanges -}}
{{- end -}}
{{- end -}}
{{- $any := include "bifrost.any" $root -}}
{{- $drain := $values.gateway.drain -}}
{{- $own := dict
  "server" (dict "listen" (printf "%s:8080" $any) "drain_window" (printf "%ds" (int $drain.windowSeconds)) "drain_timeout" (printf "%ds" (int $drain.timeoutSeconds)))
  "admin" (dict "listen" (printf "%s:9080" $any))
  "hosts" $hosts
  "upstream" (dict "nodes" $nodes)
  "access" (dict "env" (ternary "staging" $values.env .staging)) -}}
{{- $to := include "bifrost.mirrorTo" $root -}}
{{- if and $to (not .staging) -}}
{{- $_ := set $own "mirror" (dict "to" $to "fraction" $values.mirror.fraction "dir" "/var/lib/bifrost/mirror" "keep_bytes" (include "bifrost.quarter" $values.mirror.size)) -}}
{{- end -}}
{{- $refuse := include "bifrost.ownedByGateway" $root | fromYaml -}}
{{- include "bifrost.owned" (dict "at" "gateway.extraConfig" "config" $values.gateway.extraConfig "keys" $refuse) -}}
{{- $config := mergeOverwrite $own (deepCopy $values.gateway.extraConfig) -}}
{{- if .staging -}}
{{- include "bifrost.owned" (dict "at" "staging.gateway.extraConfig" "config" $values.staging.gateway.extraConfig "keys" $refuse) -}}
{{- $config = mergeOverwrite $config (deepCopy $values.staging.gateway.extraConfig) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* A quarter of a size in whole MiB or GiB, as bytes: pairs, records and keys share a volume, and a pod whose
     volume is over its size is evicted. */}}
{{- define "bifrost.quarter" -}}
{{- $unit := ternary 1048576 1073741824 (hasSuffix "Mi" .) -}}
{{- div (mul (int64 (regexFind "^[0-9]+" .)) $unit) 4 -}}
{{- end -}}

{{/* Who gets copies; empty is nobody. */}}
{{- define "bifrost.mirrorTo" -}}
{{- if .Values.staging.enabled -}}
http://{{ include "bifrost.host" (dict "root" . "name" (printf "%s-staging-gateway" (include "bifrost.fullname" .))) }}:80
{{- else -}}
{{- .Values.mirror.to -}}
{{- end -}}
{{- end -}}

{{/* What a node reads. Takes root, staging and group. */}}
{{- define "bifrost.nodeConfig" -}}
{{- $values := .root.Values -}}
{{- $group := .group -}}
{{- $any := include "bifrost.any" .root -}}
{{- $refuse := include "bifrost.ownedByNode" .root | fromYaml -}}
{{- $extra := deepCopy $values.nodes.extraConfig -}}
{{- include "bifrost.owned" (dict "at" "nodes.extraConfig" "config" $extra "keys" $refuse) -}}
{{- with $group.extraConfig -}}
{{- include "bifrost.owned" (dict "at" $group.at "config" . "keys" $refuse) -}}
{{- $extra = mergeOverwrite $extra (deepCopy .) -}}
{{- end -}}
{{- $listen := list -}}
{{- range $values.ipFamilies -}}
{{- $address := ternary "/ip4/0.0.0.0" "/ip6/::" (eq . "IPv4") -}}
{{- $listen = concat $listen (list (printf "%s/tcp/4180" $address) (printf "%s/udp/4180/quic-v1" $address)) -}}
{{- end -}}
{{- $peering := dig "swarm" "peering" list $extra -}}
{{- /* Nodes of staging too have the content of these. */ -}}
{{- range (include "bifrost.groups" (dict "root" .root "staging" false) | fromYaml).groups -}}
{{- $each := . -}}
{{- range $index, $peer := (.peerIds | default list) -}}
{{- $peering = append $peering (printf "/dns/%s.%s/tcp/4180/p2p/%s" (index $each.pods $index) $each.host $peer) -}}
{{- end -}}
{{- end -}}
{{- $swarm := dict "listen" $listen "reach" $values.nodes.peers.reach -}}
{{- if $group.identitySecretName -}}
{{- $_ := set $swarm "identity_file" "/etc/bifrost/identity.key" -}}
{{- end -}}
{{- $own := dict
  "dir" "/var/lib/bifrost/node"
  "http" (dict "listen" (printf "%s:8180" $any))
  "admin" (dict "listen" (printf "%s:9180" $any))
  "blockstore" (dict "dir" "/var/lib/bifrost/node/blocks")
  "swarm" $swarm
  "drain" (dict "patience" (printf "%ds" (int $values.nodes.drain.timeoutSeconds)))
  "access" (dict "env" (ternary "staging" $values.env .staging)) -}}
{{- $config := mergeOverwrite $own $extra -}}
{{- $_ := set $config.swarm "peering" $peering -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Hosts of Ingress and HTTPRoute: those of the table that others can reach, with wildcards of subdomains. */}}
{{- define "bifrost.publicHosts" -}}
{{- $hosts := list -}}
{{- range .Values.gateway.hosts.table -}}
{{- if contains "." .name -}}
{{- $hosts = append $hosts .name -}}
{{- if eq .class "subdomain" -}}
{{- $hosts = concat $hosts (list (printf "*.ipfs.%s" .name) (printf "*.ipns.%s" .name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "hosts" (uniq $hosts)) -}}
{{- end -}}
