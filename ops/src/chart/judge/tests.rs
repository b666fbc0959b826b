//! Tests of the rules that hold in every set.

use super::*;
use crate::chart::objects::split;

const GOOD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: &meta
  name: gateway
  labels:
    app.kubernetes.io/name: a
    app.kubernetes.io/instance: a
    app.kubernetes.io/component: a
    app.kubernetes.io/version: a
    app.kubernetes.io/managed-by: a
    helm.sh/chart: a
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 60
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - image: a/b:1
          resources: {requests: {cpu: 1}}
          command: [/usr/bin/bifrost]
          args: [probe, serve, --every, 30s]
          ports: [{name: http}, {name: admin}]
          volumeMounts: [{name: config, mountPath: /etc/bifrost}, {name: hosts, mountPath: /srv/hosts}]
          securityContext:
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
      volumes:
        - name: config
          projected: {sources: [{configMap: {name: gateway}}]}
        - {name: hosts, configMap: {name: hosts-of-others}}
---
apiVersion: v1
kind: Service
metadata:
  name: gateway
  labels:
    app.kubernetes.io/name: a
    app.kubernetes.io/instance: a
    app.kubernetes.io/component: a
    app.kubernetes.io/version: a
    app.kubernetes.io/managed-by: a
    helm.sh/chart: a
spec:
  type: LoadBalancer
  selector: {app: a}
  ports: [{targetPort: http}]
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: gateway
  labels:
    app.kubernetes.io/name: a
    app.kubernetes.io/instance: a
    app.kubernetes.io/component: a
    app.kubernetes.io/version: a
    app.kubernetes.io/managed-by: a
    helm.sh/chart: a
data:
  gateway.yaml: |
    server: {drain_window: 10s, drain_timeout: 30s}
    hosts: {files: [/srv/hosts/many.yaml]}
";

fn judged(right: &str, wrong: &str) -> Vec<(String, String)> {
    assert!(GOOD.contains(right), "{right}");
    judge(&split(&GOOD.replacen(right, wrong, 1)).expect("it is YAML"))
}

#[test]
fn what_is_right_is_not_found() {
    assert_eq!(judged("a/b:1", "a/b@sha256:0"), []);
}

#[test]
fn every_rule_finds_who_breaks_it() {
    for (right, wrong) in [
        ("    helm.sh/chart: a\n", ""),
        ("--every, 30s", "--often, 30s"),
        ("[/usr/bin/bifrost]", "[/bin/sh]"),
        ("[/usr/bin/bifrost]", "[/usr/bin/bifrost-node]"),
        ("runAsNonRoot: true", "runAsNonRoot: false"),
        ("type: RuntimeDefault", "type: Unconfined"),
        ("automountServiceAccountToken: false", "automountServiceAccountToken: true"),
        ("enableServiceLinks: false", "hostNetwork: true\n      enableServiceLinks: false"),
        ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
        ("drop: [ALL]", "drop: [NET_RAW]"),
        ("a/b:1", "a/b:latest"),
        ("a/b:1", "a/b"),
        ("requests: {cpu: 1}", "limits: {cpu: 1}"),
        ("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 50"),
        ("[{targetPort: http}]", "[{targetPort: admin}]"),
        ("[{targetPort: http}]", "[{targetPort: p2p-tcp}]"),
        ("matchLabels: {app: a}", "matchLabels: {app: b}"),
        ("server: {", "admin: {token: a}\n    server: {"),
        ("kind: Service", "kind: Secret"),
        ("        - name: config\n", "        - hostPath: {path: /}\n        - name: config\n"),
        ("mountPath: /srv/hosts", "mountPath: /srv/host"),
        ("hosts: {files:", "pages: {templates: /srv/pages}\n    hosts: {files:"),
    ] {
        let found = judged(right, wrong);
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
    }
}

#[test]
fn names_that_do_not_fit_are_found() {
    let name = "name: gateway";
    let stateful = GOOD.replacen("kind: Deployment", "kind: StatefulSet", 1);
    let long = stateful.replacen(name, &format!("name: {}", "g".repeat(53)), 1);
    let found = judge(&split(&long).expect("it is YAML"));
    assert_eq!(found.len(), 1, "{found:?}");
}
