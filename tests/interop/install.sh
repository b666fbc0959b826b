#!/bin/bash
# Installs what the tests need and the machine lacks: a C compiler, npm, Chromium, Prometheus and
# Alertmanager from Debian; the pinned npm packages (Helia, Playwright, Node itself) and, with Go, Sloth into
# the cache folder, never into the checkout.
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

# Asked for as a dependency of an empty module, because the proxy need not list versions.
sloth=v0.16.0
if ! command -v go >/dev/null; then
  missing+=("go: Go 1.25 or later, which builds Sloth, the peer of our rules")
elif [ "$(cat "$cache/bin/sloth.version" 2>/dev/null)" != "$sloth" ] \
  || [ ! -d "$(go env GOMODCACHE)/github.com/slok/sloth@$sloth/examples" ]; then
  echo "installing Sloth $sloth"
  empty="$(mktemp -d)"
  printf 'module empty\n\nrequire github.com/slok/sloth %s\n' "$sloth" >"$empty/go.mod"
  if (cd "$empty" && GOFLAGS=-mod=mod GOBIN="$cache/bin" go install github.com/slok/sloth/cmd/sloth) >"$cache/sloth.log" 2>&1; then
    echo "$sloth" >"$cache/bin/sloth.version"
  else
    missing+=("Sloth $sloth: go install failed, see $cache/sloth.log")
  fi
  rm -rf "$empty"
fi

if [ "${#missing[@]}" -gt 0 ]; then
  printf 'missing for the tests:\n' >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 1
fi
