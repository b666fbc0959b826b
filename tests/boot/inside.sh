#!/bin/bash
# What is tried inside the machine of boot.sh, whose console this writes to. Each claim is one line; what does not
# hold is said with the end of the journal, and the rest is tried all the same.
set -u -o pipefail
cd /trial

held=0
failed=0
claim() {
  local said="$1"
  shift
  if "$@" >/trial/said 2>&1; then
    held=$((held + 1))
    echo "boot: ok      $said"
  else
    failed=$((failed + 1))
    echo "boot: FAILED  $said"
    tail -n 15 /trial/said
    journalctl --no-pager -n 25 -o cat
  fi
}

services='bifrost-node bifrost-gateway bifrost-probe bifrost-profile'
admin() { curl -sf --max-time 10 -H "Authorization: Bearer $(cat /etc/bifrost/admin-token)" "$@"; }
pid() { systemctl show --property MainPID --value "$1"; }
# Asks again, for at most so many seconds, until it is so.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.5
  done
}
another() { [ "$(pid "$1")" != "$2" ] && [ "$(pid "$1")" != 0 ] && systemctl -q is-active "$1"; }
refused() { ! "$@"; }

# The package.
claim 'the package is installed by dpkg alone' dpkg --install bifrost.deb
none() { for one in $services; do systemctl -q is-active "$one" && return 1; systemctl -q is-enabled "$one" && return 1; done; true; }
claim 'nothing is started by the installation' none
secret() { [ "$(stat -c '%U:%G %a' /etc/bifrost/admin-token)" = 'root:root 600' ] && [ "$(wc -c </etc/bifrost/admin-token)" -ge 64 ]; }
claim 'it made a token that only root reads' secret

# As README.md says.
claim 'node and gateway start and say that they are ready' systemctl enable --now bifrost-node bifrost-gateway
head -c 24000000 /dev/urandom >/trial/big
printf 'a small file\n' >/trial/small
export BIFROST_ADMIN__TOKEN_FILE=/etc/bifrost/admin-token
added() { bifrost add --node http://127.0.0.1:9180 --format json /trial/"$1" | tee /trial/added >&2 && sed -n 's/.*"root":"\([^"]*\)".*/\1/p' /trial/added | tail -n 1 >/trial/"$1".cid && [ -s /trial/"$1".cid ]; }
claim 'a file is added to the node' added small
claim 'a large file is added to the node' added big
small="http://127.0.0.1:8080/ipfs/$(cat /trial/small.cid)"
big="http://127.0.0.1:8080/ipfs/$(cat /trial/big.cid)"
same() { curl -sf --max-time 20 "$1" | cmp - "$2"; }
claim 'the gateway serves it' same "$small" /trial/small
confined() {
  for one in $services; do
    systemctl -q is-active "$one" || continue
    grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$(pid "$one")/status"
    awk '/^Uid:/ && $2 == 0 {bad=1} /^CapEff:/ && $2 !~ /^0*$/ {bad=1} /^NoNewPrivs:/ && $2 != 1 {bad=1} /^Seccomp:/ && $2 != 2 {bad=1} END {exit bad}' "/proc/$(pid "$one")/status" || return 1
  done
}
claim 'both run without root, capabilities or new privileges, behind a filter of system calls' confined
exposure() {
  for one in $services; do
    systemd-analyze security --no-pager "$one.service" | tail -n 1
    systemd-analyze security --no-pager --threshold=25 "$one.service" >/dev/null || return 1
  done
}
claim 'systemd rates the exposure of every unit at 2.5 or less' exposure
logged() { ls -l /var/log/bifrost-gateway /var/log/bifrost-node/ && grep -q . /var/log/bifrost-gateway/access.log; }
claim 'the access log is written' within 10 logged

# Reloading.
gateway="$(pid bifrost-gateway)"
claim 'a reload succeeds' systemctl reload bifrost-gateway bifrost-node
cp /etc/bifrost/gateway.yaml /trial/gateway.yaml
printf '\nno_such_key: 1\n' >>/etc/bifrost/gateway.yaml
claim 'a reload of a wrong configuration fails' refused systemctl reload bifrost-gateway
said() { journalctl --no-pager -o cat -u "$1" | grep "$2" >/dev/null; }
claim 'and says which key it is' said bifrost-gateway no_such_key
cp /trial/gateway.yaml /etc/bifrost/gateway.yaml
unmoved() { [ "$(pid bifrost-gateway)" = "$gateway" ] && same "$small" /trial/small; }
claim 'and leaves the process serving' unmoved

# Falling and standing still.
kill -KILL "$gateway"
claim 'a gateway that is killed is started again' within 30 another bifrost-gateway "$gateway"
gateway="$(pid bifrost-gateway)"
kill -STOP "$gateway"
claim 'a gateway that stands still is restarted by the watchdog' within 150 another bifrost-gateway "$gateway"
claim 'and serves' within 20 same "$small" /trial/small

# Draining.
curl -s --limit-rate 3M --max-time 60 -o /trial/got "$big" &
download=$!
sleep 2
claim 'a stop waits for a download' systemctl stop bifrost-gateway
whole() { wait "$download" && cmp /trial/got /trial/big; }
claim 'which arrives whole' whole

# The socket, with a host that the gateway knows: off loopback it answers no other.
sed -i 's/^  table: \[\]/  table: [{ name: gateway.example, class: path }]/' /etc/bifrost/gateway.yaml
echo '127.0.0.1 gateway.example' >>/etc/hosts
claim 'systemd holds port 80' systemctl enable --now bifrost-gateway.socket
claim 'and the gateway takes it over' systemctl start bifrost-gateway
port80() { same "http://gateway.example/ipfs/$(cat /trial/small.cid)" /trial/small; }
claim 'and serves from it' port80
served() {
  # Each on a connection of its own, for as long as the gateway is away.
  touch /trial/asking
  ( while [ -e /trial/asking ]; do port80 || echo refused; done >/trial/asked ) &
  local asking=$!
  systemctl restart bifrost-gateway
  sleep 1
  rm /trial/asking
  wait "$asking"
  [ ! -s /trial/asked ]
}
claim 'nobody is refused while it is restarted' served

# What watches.
sed -i -e '/kind: ops/,/status:/s/status: planned/status: active/' \
  -e 's|url: http://127.0.0.1:8080|url: http://gateway.example|' /etc/bifrost/inventory.yaml
cp /etc/bifrost/probe.yaml /trial/probe.yaml
printf '\nno_such_key: 1\n' >>/etc/bifrost/probe.yaml
claim 'a probe whose configuration is wrong does not start' refused systemctl start bifrost-probe
once() { sleep 12; [ "$(systemctl show --property NRestarts --value bifrost-probe)" = 0 ]; }
claim 'and is not started again and again' once
cp /trial/probe.yaml /etc/bifrost/probe.yaml
sed -i 's|^gateways:.*|gateways: [{name: public, url: http://gateway.example}]|' /etc/bifrost/probe.yaml
claim 'probe and profiles start' systemctl enable --now bifrost-probe bifrost-profile
claim 'they are confined too' confined
up() { admin "http://127.0.0.1:$1/metrics" | grep "$2" >/dev/null; }
claim 'the probe passes through port 80' within 120 up 9380 'checks_total{check="http.path".*verdict="pass".* [1-9]'
taken() { admin http://127.0.0.1:9480/last | tee /dev/stderr | grep '"collecting":false' | grep '"processes":4' | grep '"profiled":4'; }
collected() { admin -X POST http://127.0.0.1:9480/collect && within 180 taken; }
claim 'a set of profiles of every process is taken' collected
still() { for one in $services; do journalctl --no-pager -o cat -u "$one" | grep -iE 'operation not permitted|permission denied' && return 1; done; true; }
claim 'no unit was refused what it needs' still

# The next version.
gateway="$(pid bifrost-gateway)"
node="$(pid bifrost-node)"
claim 'the package is installed over itself' dpkg --install bifrost.deb
renewed() { another bifrost-gateway "$gateway" && another bifrost-node "$node" && port80; }
claim 'what ran was restarted and serves' within 30 renewed
claim 'it is removed' dpkg --remove bifrost
claim 'and nothing runs' none
claim 'it is purged' dpkg --purge bifrost
left() { [ ! -e /etc/bifrost/admin-token ] && [ -d /var/lib/bifrost-node/blocks ] && [ -z "$(find /etc/systemd/system -name 'bifrost-*')" ]; }
claim 'blocks stay, the token and the links of units do not' left

# The image.
image() { podman load --input bifrost.oci.tar && podman images --format '{{.ID}}' | head -n 1 >/trial/image && [ -s /trial/image ]; }
claim 'podman loads the image' image
run() { podman run --rm --read-only --network host --cap-drop all --security-opt no-new-privileges "$@"; }
claim 'it runs without root on a read-only root' run "$(cat /trial/image)" /usr/bin/bifrost-gateway --version
run --name served --env BIFROST_SERVER__LISTEN=127.0.0.1:8080 --env BIFROST_ADMIN__LISTEN=127.0.0.1:9080 \
  --env BIFROST_UPSTREAM__NODES='[{"url":"http://127.0.0.1:8180"}]' "$(cat /trial/image)" \
  /usr/bin/bifrost-gateway >/trial/container.log 2>&1 &
identity() { [ "$(curl -sf --max-time 5 http://127.0.0.1:8080/ipfs/bafkqac3imvwgy3zao5xxe3de)" = 'hello world' ]; }
claim 'its gateway serves' within 30 identity
claim 'and stops when it is told' podman stop --time 20 served

if [ "$failed" = 0 ]; then echo "boot: all $held claims hold"; else echo "boot: $failed of $((held + failed)) claims do not hold"; fi
