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
running=''

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

# Every process of the run has its directory for temporary files in its environment, and every state directory lies in it: so what a run that
# was broken off has left is told from all else on the machine.
tmp=${TMPDIR:-/tmp}
run=$(mktemp -d "$tmp/berth-test-XXXXXX")
# What failed, for the summary. Beside the directory, which is swept when a part fails.
failures=$(mktemp "$tmp/berth-failures-XXXXXX")

own_directory() {
  mkdir -p "$run"
  chmod 755 "$run"
  # With the moment at which it started: another process may have the number by now.
  cut -d ' ' -f 1,22 "/proc/$$/stat" >"$run/pid"
}
own_directory

# sweep DIR: takes away what the run of this directory has left, and the directory.
sweep() {
  if [ -x "$(node_program)" ]; then env -u TMPDIR "$(node_program)" tools/test-sweep.ts "$1"; else rm -rf "$1"; fi
}

sweep_former() {
  for dir in "$tmp"/berth-test-*; do
    [ -f "$dir/pid" ] || continue
    read -r pid started <"$dir/pid"
    [ "$(cut -d ' ' -f 22 "/proc/$pid/stat" 2>/dev/null)" = "$started" ] || sweep "$dir"
  done
}

# finish CODE: leaves nothing behind, whatever was running.
finish() {
  trap '' HUP INT TERM
  if [ -n "$running" ]; then
    kill -TERM "$running" 2>/dev/null
    wait "$running"
  fi
  sweep "$run"
  rm -f "$failures"
  exit "$1"
}
trap 'echo "test: broken off" >&2; finish 129' HUP
trap 'echo "test: broken off" >&2; finish 130' INT
trap 'echo "test: broken off" >&2; finish 143' TERM

# part NAME SECONDS COMMAND...: beside the shell, which hears a signal at once and ends the part's whole process group; and with the signals' usual meaning,
# which a shell takes from what it starts so.
part() {
  name=$1 limit=$2
  shift 2
  printf '\n==== %s\n' "$name"
  began=$(date +%s)
  TMPDIR=$run TEST_FAILURES=$failures timeout --kill-after=20 "$limit" env --default-signal=INT,QUIT "$@" </dev/null &
  running=$!
  wait "$running"
  code=$?
  running=''
  took=$(($(date +%s) - began))
  case $code in
    0) result=passed ;;
    124 | 137) result="FAILED: not done within $limit s" ;;
    *) result="FAILED with $code" ;;
  esac
  # A part that failed may have been broken off, and what it left would be in the way of the next.
  [ "$code" = 0 ] || { failed=$((failed + 1)) && sweep "$run" && own_directory; }
  summary=$summary$(printf '%-12s %4s s  %s' "$name" "$took" "$result")'
'
  return "$code"
}

if part setup 600 ./berth setup; then
  sweep_former
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
cat "$failures"
if [ "$failed" = 0 ]; then echo 'test: all passed'; else echo "test: $failed part(s) failed"; fi
[ "$failed" = 0 ]
finish $?
