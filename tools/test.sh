#!/bin/sh
# Sets the machine up and runs every test once, at a small size (`npm test`). Needs root: the tests make namespaces, mounts and cgroups.
# Works without a terminal and on a new machine; ends with a summary, and with 1 when anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
[ "$(id -u)" = 0 ] || { echo 'npm test needs root: sudo npm test' >&2; exit 1; }
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export CI="${CI-}" NO_COLOR=1
summary=''
failed=0

# part NAME SECONDS COMMAND...
part() {
  name=$1 limit=$2
  shift 2
  printf '\n==== %s\n' "$name"
  began=$(date +%s)
  timeout --kill-after=20 "$limit" "$@" </dev/null
  code=$?
  took=$(($(date +%s) - began))
  case $code in
    0) result=passed ;;
    124 | 137) result="FAILED: not done within $limit s" ;;
    *) result="FAILED with $code" ;;
  esac
  [ "$code" = 0 ] || failed=$((failed + 1))
  summary=$summary$(printf '%-12s %4s s  %s' "$name" "$took" "$result")'
'
  return "$code"
}

node_program() {
  case $(uname -m) in x86_64) arch=x64 ;; *) arch=arm64 ;; esac
  printf '%s' "$PWD/node_modules/node-linux-$arch/bin/node"
}

cargo_tests() {
  # Where root's PATH lacks what rustup installed.
  for dir in "${CARGO_HOME:-/nonexistent}/bin" "${HOME:-/root}/.cargo/bin" /root/.cargo/bin; do
    if [ -x "$dir/cargo" ]; then PATH=$dir:$PATH; break; fi
  done
  triple=$(rustc -vV | sed -n 's/^host: //p')
  cd supervisor && CARGO_BUILD_TARGET=$triple exec cargo test --locked --quiet
}

case ${1-} in
  cargo) cargo_tests; exit ;;
esac

if part setup 600 ./berth setup; then
  # npm scripts find Node 26 first.
  PATH=$(dirname "$(node_program)"):$PATH
  # A process for each file: what they all import is compiled once.
  export NODE_COMPILE_CACHE="$PWD/.berth/compile-cache"
  part packages 400 node tools/test-packages.ts
  part unit 700 npm run --silent test:unit
  part microvm 700 npm run --silent test:microvm
  part supervisor 500 sh tools/test.sh cargo
  part e2e 1800 npm run --silent test:e2e
  # What a machine can't run is said where the results stand.
  why=$(node test/e2e/terraform.ts)
  [ -z "$why" ] || summary=$summary"terraform            $why"'
'
  why=$(node test/e2e/session-plugin.ts)
  [ -z "$why" ] || summary=$summary"execute      $why"'
'
  why=$(node test/e2e/former-berth.ts)
  [ -z "$why" ] || summary=$summary"upgrade              $why"'
'
fi

printf '\n==== summary\n%s' "$summary"
if [ "$failed" = 0 ]; then echo 'test: all passed'; else echo "test: $failed part(s) failed"; fi
[ "$failed" = 0 ]
