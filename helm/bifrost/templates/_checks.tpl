{{/* What a schema cannot say: values that contradict each other. Each sentence says what to change. */}}

{{- define "bifrost.checks" -}}
{{- $values := .Values -}}
{{- $full := include "bifrost.fullname" . -}}

{{- if not $values.adminToken.secretName -}}
{{- fail "adminToken.secretName is empty: admin listeners of pods do not start without a token; make a Secret and name it there" -}}
{{- end -}}

{{- range list (list "image.tag" $values.image.tag) (list "staging.image.tag" $values.staging.image.tag) -}}
{{- if has (last .) (list "latest" "main" "edge") -}}
{{- fail (printf "%s is %s, which is another build tomorrow: name a release or a digest" (first .) (last .)) -}}
{{- end -}}
{{- end -}}

{{- $nodes := len $values.nodes.external -}}
{{- $names := list -}}
{{- range $values.nodes.roles -}}
{{- $nodes = add $nodes (int .replicas) -}}
{{- if has .name $names -}}
{{- fail (printf "nodes.roles has two groups with the name %s: give each its own" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- if lt (int .replicas) 1 -}}
{{- fail (printf "the group %s of nodes.roles has no replicas: set 1 or more, or take the group out" .name) -}}
{{- end -}}
{{- include "bifrost.storage" (dict "at" (printf "storage of the group %s of nodes.roles" .name) "storage" .storage) -}}
{{- $peers := len (.peerIds | default list) -}}
{{- if and $peers (ne $peers (int .replicas)) -}}
{{- fail (printf "the group %s of nodes.roles has %d peerIds and %d replicas: name the peer of each pod, in their order" .name $peers (int .replicas)) -}}
{{- end -}}
{{- if and $peers (not .identitySecretName) -}}
{{- fail (printf "the group %s of nodes.roles has peerIds without identitySecretName: identities that nodes make themselves are not known beforehand" .name) -}}
{{- end -}}
{{- if gt (int (.partition | default 0)) (int .replicas) -}}
{{- fail (printf "the group %s of nodes.roles has a partition beyond its replicas: no pod would ever be updated" .name) -}}
{{- end -}}
{{- end -}}
{{- if lt (int $nodes) 1 -}}
{{- fail "there are no nodes: gateways have nothing of their own; give nodes.roles a group, or name gateways elsewhere in nodes.external" -}}
{{- end -}}
{{- if gt (int $nodes) 16 -}}
{{- fail (printf "there are %d nodes, and a gateway asks at most 16: take some out of nodes.roles or nodes.external" (int $nodes)) -}}
{{- end -}}
{{- $own := sub $nodes (len $values.nodes.external) -}}
{{- range $values.nodes.roles -}}
{{- $peering := dig "swarm" "peering" list (mergeOverwrite (deepCopy $values.nodes.extraConfig) (deepCopy (.extraConfig | default dict))) -}}
{{- if and (gt (int $own) 1) (eq $values.nodes.peers.reach "any") (not .peerIds) (not $peering) -}}
{{- fail (printf "the group %s of nodes.roles has no peerIds, and the %d nodes would not know each other: make a Secret by `bifrost chart identity`, and set identitySecretName to it and peerIds to what that says; swarm.peering in extraConfig may name other peers instead" .name (int $own)) -}}
{{- end -}}
{{- end -}}

{{- $labels := dict "commonLabels" $values.commonLabels "gateway.podLabels" $values.gateway.podLabels "nodes.podLabels" $values.nodes.podLabels "ops.podLabels" $values.ops.podLabels "monitoring.podMonitors.labels" $values.monitoring.podMonitors.labels "monitoring.rules.labels" $values.monitoring.rules.labels "monitoring.dashboards.labels" $values.monitoring.dashboards.labels -}}
{{- range $at, $own := $labels -}}
{{- range $key, $_ := $own -}}
{{- if regexMatch "^(app\\.kubernetes\\.io|helm\\.sh|bifrost)/" $key -}}
{{- fail (printf "%s has %s, which the chart writes itself: take another name" $at $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- range $section := list "gateway" "nodes" -}}
{{- range (get $values $section).env -}}
{{- if and (regexMatch "^BIFROST_.*__" .name) (hasKey . "value") -}}
{{- fail (printf "%s.env has %s, which is a key of the configuration: set it in %s.extraConfig, or take its value from a Secret" $section .name $section) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- with $values.gateway -}}
{{- if lt (int .replicas) 1 -}}
{{- fail "gateway.replicas is 0: set 1 or more" -}}
{{- end -}}
{{- if not .hosts.table -}}
{{- fail "gateway.hosts.table is empty: every request would get 421; name the hosts that are answered" -}}
{{- end -}}
{{- with .autoscaling -}}
{{- if .enabled -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "gateway.autoscaling.minReplicas is %d and maxReplicas %d: the first must not be greater" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- if not (or .cpu .inFlight) -}}
{{- fail "gateway.autoscaling looks at nothing: set cpu or inFlight" -}}
{{- end -}}
{{- if and .cpu (not (dig "requests" "cpu" "" $values.gateway.resources)) -}}
{{- fail "gateway.autoscaling.cpu is a percentage of a request that is not there: set gateway.resources.requests.cpu, or cpu to 0" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $hosts := (include "bifrost.publicHosts" . | fromJson).hosts -}}
{{- if and $values.ingress.enabled $values.httpRoute.enabled -}}
{{- fail "ingress and httpRoute are both enabled, and would both claim the same hosts: turn one off" -}}
{{- end -}}
{{- if and (or $values.ingress.enabled $values.httpRoute.enabled) (not $hosts) -}}
{{- fail "ingress or httpRoute is enabled and gateway.hosts.table has no host that others can reach: name one" -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway that the routes belong to" -}}
{{- end -}}
{{- if and (or $values.ingress.enabled $values.httpRoute.enabled) (not $values.gateway.hosts.trustedProxies) -}}
{{- fail "ingress or httpRoute is enabled and gateway.hosts.trustedProxies is empty: every client would have the address of the proxy, and share one limit; name the ranges of the proxies" -}}
{{- end -}}

{{- include "bifrost.mirrorChecks" . -}}

{{- if and $values.probe.enabled (not $values.podRanges) -}}
{{- fail "probe.enabled needs podRanges, or its requests would count as those of people: name the ranges of addresses of pods" -}}
{{- end -}}
{{- if and (ne $values.profiles.mode "off") (not $values.profiles.store) -}}
{{- include "bifrost.storage" (dict "at" "profiles.volume" "storage" $values.profiles.volume) -}}
{{- end -}}
{{- if and $values.profiles.onBurn (ne $values.profiles.mode "serve") -}}
{{- fail "profiles.onBurn is read by profiles.mode serve alone: set that, or leave onBurn empty" -}}
{{- end -}}

{{- if $values.publish.enabled -}}
{{- if not $values.publish.keySecretName -}}
{{- fail "publish.enabled without publish.keySecretName: no name would lead to the site; make a Secret with the key that `bifrost ipns sign --new-key` makes, and name it there" -}}
{{- end -}}
{{- if not $values.nodes.roles -}}
{{- fail "publish.enabled without nodes.roles: the site lies in nodes of the release; give it some, or turn publish off" -}}
{{- end -}}
{{- if and $values.publish.profiles (eq $values.profiles.mode "off") -}}
{{- fail "publish.profiles with profiles.mode off: nobody takes profiles that could be shown; set profiles.mode, or publish.profiles to false" -}}
{{- end -}}
{{- if and $values.publish.profiles (eq $values.profiles.mode "serve") (not $values.profiles.store) -}}
{{- fail "publish.profiles with profiles.mode serve and a volume, which is of one machine and always taken: name a bucket in profiles.store, or set profiles.mode to nightly" -}}
{{- end -}}
{{- end -}}

{{- if and $values.monitoring.rules.enabled (not (and $values.probe.enabled $values.nodes.roles)) -}}
{{- fail "monitoring.rules.enabled without probe.enabled or without nodes.roles: the alert TargetMissing would never end; turn the probe on and give the release nodes, or leave the rules out" -}}
{{- end -}}

{{- if $values.networkPolicy.enabled -}}
{{- range $values.networkPolicy.adminFrom -}}
{{- $range := dig "ipBlock" "cidr" "" . -}}
{{- $selected := compact (concat (values (default dict .namespaceSelector)) (values (default dict .podSelector))) -}}
{{- if or (not .) (hasSuffix "/0" $range) (and (hasKey . "namespaceSelector") (not $selected)) -}}
{{- fail "networkPolicy.adminFrom lets everybody to the admin listeners: name namespaces, pods or a range" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Takes at and storage. */}}
{{- define "bifrost.storage" -}}
{{- if not .storage.className -}}
{{- fail (printf "%s has no className: name a class of `kubectl get storageclass`, for the cluster's default may be another one tomorrow" .at) -}}
{{- end -}}
{{- if regexMatch "^0+([^0-9.]|$)" (toString .storage.size) -}}
{{- fail (printf "%s has the size %s: give it room" .at (toString .storage.size)) -}}
{{- end -}}
{{- end -}}

{{- define "bifrost.mirrorChecks" -}}
{{- $values := .Values -}}
{{- $full := include "bifrost.fullname" . -}}
{{- if and $values.mirror.from (or $values.mirror.to $values.staging.enabled) -}}
{{- fail "mirror.from is of a release that gets copies, and mirror.to and staging.enabled of one that sends them: leave one of them out" -}}
{{- end -}}
{{- if $values.staging.enabled -}}
{{- if $values.mirror.to -}}
{{- fail "staging.enabled and mirror.to both say who gets copies: leave mirror.to empty, or turn staging off" -}}
{{- end -}}
{{- if not (or $values.staging.image.tag $values.staging.image.digest) -}}
{{- fail "staging.enabled without a build to try: set staging.image.tag or staging.image.digest" -}}
{{- end -}}
{{- if eq $values.env "staging" -}}
{{- fail "env is staging, which is what the release that is tried is called: name production otherwise, or turn staging off" -}}
{{- end -}}
{{- if not $values.podRanges -}}
{{- fail "staging.enabled needs podRanges, or copies would count as requests of people: name the ranges of addresses of pods" -}}
{{- end -}}
{{- if lt (int $values.staging.gateway.replicas) 1 -}}
{{- fail "staging.gateway.replicas is 0: set 1 or more, or turn staging off" -}}
{{- end -}}
{{- if lt (int $values.staging.nodes.replicas) 1 -}}
{{- fail "staging.nodes.replicas is 0: staging never shares production's nodes; set 1 or more" -}}
{{- end -}}
{{- include "bifrost.storage" (dict "at" "staging.nodes.storage" "storage" $values.staging.nodes.storage) -}}
{{- $peers := concat (dig "swarm" "peering" list $values.nodes.extraConfig) (dig "swarm" "peering" list $values.staging.nodes.extraConfig) -}}
{{- range $values.nodes.roles -}}
{{- $peers = concat $peers (.peerIds | default list) -}}
{{- end -}}
{{- if not $peers -}}
{{- fail "staging.enabled and no node of production is known as a peer, so that staging would have no content: run `bifrost chart identity` and set identitySecretName and peerIds of a group of nodes.roles, or swarm.peering in staging.nodes.extraConfig" -}}
{{- end -}}
{{- else if $values.mirror.to -}}
{{- $service := printf "%s-gateway" $full -}}
{{- $ours := list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (include "bifrost.host" (dict "root" . "name" $service)) -}}
{{- $ours = concat $ours (include "bifrost.publicHosts" . | fromJson).hosts -}}
{{- $host := regexReplaceAll "(:[0-9]+)?/?$" (regexReplaceAll "^https?://" $values.mirror.to "") "" -}}
{{- if has $host $ours -}}
{{- fail (printf "mirror.to is %s, which is this production itself: name the gateway of staging" $values.mirror.to) -}}
{{- end -}}
{{- end -}}
{{- end -}}
