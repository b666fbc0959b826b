#!/bin/bash
# Installs what the tests need and the machine lacks: a C compiler, npm, Chromium, Python, Prometheus,
# Alertmanager, systemd's checks and, for the guides, nginx and dnsmasq from Debian; the pinned npm packages (Helia,
# Playwright, Node itself), with Go Sloth and Helm,
# and with Python the schemas of Kubernetes into the cache folder, never into the checkout.
#
# Where it cannot install, it lists everything that is missing and fails: a test that is skipped
# because a tool is absent reads like a test that passed.
set -eu -o pipefail

here="$(cd "$(dirname "$0")" && pwd)"
cache="${BIFROST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bifrost}"
interop="$cache/interop"
missing=()

command -v cargo >/dev/null || missing+=("cargo: Rust 1.95 or later")

packages=()
command -v cc >/dev/null || packages+=(build-essential)
command -v npm >/dev/null || packages+=(npm)
[ -x "${BIFROST_CHROMIUM:-/usr/bin/chromium}" ] || packages+=(chromium)
command -v promtool >/dev/null || packages+=(prometheus)
command -v amtool >/dev/null || packages+=(prometheus-alertmanager)
command -v systemd-analyze >/dev/null || packages+=(systemd)
[ -x /usr/sbin/nginx ] || packages+=(nginx-light)
[ -x /usr/sbin/dnsmasq ] || packages+=(dnsmasq-base)
command -v ip >/dev/null || packages+=(iproute2)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
if [ "${#packages[@]}" -gt 0 ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing ${packages[*]}"
    { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${packages[@]}"; } \
      >"${TMPDIR:-/tmp}/bifrost-apt.log" 2>&1 \
      || missing+=("${packages[*]}: apt-get failed, see ${TMPDIR:-/tmp}/bifrost-apt.log")
  else
    missing+=("${packages[*]}: install them by hand, apt-get as root is not to be had; BIFROST_CHROMIUM names another Chromium")
  fi
fi

# The stamp is the lock file itself: a changed lock installs again, an unchanged one costs nothing.
if command -v npm >/dev/null && ! cmp -s "$here/package-lock.json" "$interop/installed.json"; then
  echo "installing the npm packages of tests/interop"
  mkdir -p "$interop"
  cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$interop/"
  if (cd "$interop" && npm ci --no-audit --no-fund) >"$cache/npm.log" 2>&1; then
    cp "$here/package-lock.json" "$interop/installed.json"
  else
    missing+=("npm packages: npm ci failed, see $cache/npm.log")
  fi
fi

# Installs a program of Go: name, version, module, package. It is asked for as a dependency of an empty
# module, because the proxy need not list versions; that module's `go` line keeps modules out that nothing of
# it is built from.
go_program() {
  local empty
  echo "installing $1 $2"
  empty="$(mktemp -d)"
  printf 'module empty\n\ngo 1.25\n\nrequire %s %s\n' "$3" "$2" >"$empty/go.mod"
  if (cd "$empty" && GOFLAGS=-mod=mod GOBIN="$cache/bin" go install "$4") >"$cache/$1.log" 2>&1; then
    echo "$2" >"$cache/bin/$1.version"
  else
    missing+=("$1 $2: go install failed, see $cache/$1.log")
  fi
  rm -rf "$empty"
}

sloth=v0.16.0
helm=v4.3.1
if ! command -v go >/dev/null; then
  missing+=("go: Go 1.25 or later, which builds Helm, and Sloth, the peer of our rules")
else
  mkdir -p "$cache/bin"
  if [ "$(cat "$cache/bin/sloth.version" 2>/dev/null)" != "$sloth" ] \
    || [ ! -d "$(go env GOMODCACHE)/github.com/slok/sloth@$sloth/examples" ]; then
    go_program sloth "$sloth" github.com/slok/sloth github.com/slok/sloth/cmd/sloth
  fi
  if [ "$(cat "$cache/bin/helm.version" 2>/dev/null)" != "$helm" ] || [ ! -x "$cache/bin/helm" ]; then
    go_program helm "$helm" helm.sh/helm/v4 helm.sh/helm/v4/cmd/helm
  fi
fi

# As with npm, the stamp is the list itself.
venv="$cache/chart-venv"
if python3 -c 'import ensurepip, venv' 2>/dev/null && ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  echo "installing the Python packages of tests/interop"
  if { rm -rf "$venv" && python3 -m venv "$venv" \
    && "$venv/bin/pip" install --disable-pip-version-check --no-deps -r "$here/requirements.txt"; } >"$cache/pip.log" 2>&1; then
    cp "$here/requirements.txt" "$venv/installed.txt"
  else
    missing+=("Python packages: pip install failed, see $cache/pip.log")
  fi
fi

if [ "${#missing[@]}" -gt 0 ]; then
  printf 'missing for the tests:\n' >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 1
fi
