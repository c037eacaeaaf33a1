#!/bin/sh
# Sets up what berth needs, one part each; every part is safe to run again and does nothing when it has nothing to do.
#   node        Node 26 and the packages of package-lock.json
#   packages    Debian packages: HAProxy, nftables, CA certificates, QEMU and the tools of its disks, and a Rust compiler where the
#               supervisor must be built
#   supervisor  the Rust half, into .berth/bin/berth-supervisor
#   user        the system users: berth, that the control plane and HAProxy run as, and berth-vm, that QEMU runs as
#   guest       Debian's cloud kernel for microVMs, out of its package into .berth/guest/package; it is not installed
#   gvisor      gVisor's runsc out of its Debian package, into .berth/gvisor/bin/runsc; it is not installed
# `check PART` says by its exit code whether a part is there. The services of installed packages are never started.
set -eu

home=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
private=$home/.berth
binary=$private/bin/berth-supervisor
CARGO_MIN=1.85

say() { printf 'berth: %s\n' "$*"; }
die() { printf 'berth: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
need_root() { [ "$(id -u)" = 0 ] || die "$1 needs root: run it with sudo"; }

# Root's PATH may lack the sbin directories (su without -, cron).
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# ---- node ----

case $(uname -m) in x86_64) arch=x64 ;; *) arch=arm64 ;; esac
node=$home/node_modules/node-linux-$arch/bin/node
# A copy of the lock file that was installed, written once Node was seen to run: `berth` compares its date only.
stamp=$home/node_modules/.berth-lock.json

node_runs() { [ -x "$node" ] && "$node" --version >/dev/null 2>&1; }

# npm writes its hidden lock file last; a newer date on an unchanged lock file (a fresh checkout over an old tree) needs no installation.
node_modules_current() {
  [ -x "$node" ] || return 1
  [ "$home/node_modules/.package-lock.json" -nt "$home/package-lock.json" ] || cmp -s "$home/package-lock.json" "$stamp"
}

check_node() { node_modules_current && node_runs; }

do_node() {
  if ! node_modules_current; then
    have npm || die "npm is missing, which brings Node 26: apt-get install npm (or Node 18 or newer from anywhere)"
    say 'installing Node 26 and packages (npm ci) ...'
    (cd "$home" && npm ci --no-audit --no-fund --loglevel=error) || die 'npm ci failed; its message stands above'
    [ -x "$node" ] || die "npm ci brought no Node for $(uname -m): is 'omit=optional' set in your npm configuration?"
  fi
  node_runs || bring_node_library
  # Somebody else's tree may be read-only to us: then this is asked again next time, which costs a blink.
  cp "$home/package-lock.json" "$stamp" 2>/dev/null || true
}

# Node 26 links to libatomic, which a bare Debian 12 has no reason to hold.
bring_node_library() {
  have apt-get || die "Node 26 doesn't start here: $("$node" --version 2>&1 || true)"
  need_root 'installing libatomic1, which Node 26 needs,'
  say 'installing libatomic1, which Node 26 needs ...'
  export DEBIAN_FRONTEND=noninteractive
  said=$(apt-get install -y -qq libatomic1 2>&1) || said=$(apt-get update -qq 2>&1 && apt-get install -y -qq libatomic1 2>&1) ||
    die "apt-get could not install libatomic1: $said"
  node_runs || die "Node 26 doesn't start here: $("$node" --version 2>&1 || true)"
}

# ---- packages ----

cargo_is_new_enough() {
  have cargo || return 1
  version=$(cargo --version 2>/dev/null | sed -n 's/^cargo \([0-9]*\.[0-9]*\).*/\1/p')
  [ -n "$version" ] && [ "$(printf '%s\n%s\n' "$CARGO_MIN" "$version" | sort -V | head -n 1)" = "$CARGO_MIN" ]
}

# Root under sudo doesn't see the compiler that rustup keeps in a user's home.
find_cargo() {
  for dir in "${CARGO_HOME:-/nonexistent}/bin" "${HOME:-/root}/.cargo/bin" /root/.cargo/bin; do
    if [ -x "$dir/cargo" ]; then PATH=$dir:$PATH; break; fi
  done
}

missing_packages() {
  have haproxy || printf 'haproxy '
  have nft || printf 'nftables '
  have setpriv || printf 'util-linux '
  [ -e /etc/ssl/certs/ca-certificates.crt ] || printf 'ca-certificates '
  # MicroVMs are known on amd64 only, so far.
  if [ "$arch" = x64 ] && ! have qemu-system-x86_64; then printf 'qemu-system-x86 '; fi
  have mkfs.erofs || printf 'erofs-utils '
  have mkfs.ext4 || printf 'e2fsprogs '
  have mkfs.xfs || printf 'xfsprogs '
  if ! check_supervisor; then
    find_cargo
    if ! cargo_is_new_enough; then printf '%s ' "$(rust_packages)"; fi
    have cc || printf 'gcc libc6-dev '
  fi
}

# bookworm's rustc is too old; its security suite has a newer one under another name.
rust_packages() {
  if apt-cache show cargo-web >/dev/null 2>&1; then echo cargo-web rustc-web; else echo cargo rustc; fi
}

check_packages() { [ -z "$(missing_packages)" ]; }

policy=/usr/sbin/policy-rc.d
restore_policy() {
  rm -f "$policy"
  if [ -e "$policy.berth-saved" ]; then mv "$policy.berth-saved" "$policy"; fi
}

do_packages() {
  check_packages && return 0
  need_root 'installing packages'
  have apt-get || die "these are missing and only Debian's apt-get is known here: $(missing_packages)"
  export DEBIAN_FRONTEND=noninteractive
  # Old lists may name versions that the mirror no longer has.
  say 'reading the package lists (apt-get update) ...'
  apt-get update -qq >&2 || say 'apt-get update failed; trying with the lists that are here'
  wanted=$(missing_packages)
  say "installing: $wanted..."
  fresh_haproxy=$(have haproxy && echo no || echo yes)
  if [ -e "$policy" ] && [ ! -e "$policy.berth-saved" ]; then mv "$policy" "$policy.berth-saved"; fi
  trap restore_policy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  # shellcheck disable=SC2086 # one word each
  apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 $wanted >&2 || die "apt-get could not install: $wanted(its message stands above)"
  restore_policy
  trap - EXIT INT TERM
  # berth starts a HAProxy of its own; the package's must not come up with an empty configuration at the next boot.
  if [ "$fresh_haproxy" = yes ]; then
    if have systemctl; then systemctl disable --quiet haproxy.service >/dev/null 2>&1 || true; fi
    if have update-rc.d; then update-rc.d haproxy disable >/dev/null 2>&1 || true; fi
  fi
}

# ---- supervisor ----

check_supervisor() {
  [ -x "$binary" ] && [ -e "$private/supervisor.stamp" ] || return 1
  [ -z "$(find "$home/supervisor/src" "$home/supervisor/Cargo.toml" "$home/supervisor/Cargo.lock" "$home/supervisor/.cargo" -newer "$private/supervisor.stamp" -type f 2>/dev/null | head -n 1)" ] && return 0
  [ "$(source_hash)" = "$(cat "$private/supervisor.stamp" 2>/dev/null)" ] || return 1
  touch "$private/supervisor.stamp" 2>/dev/null || true
}

source_hash() {
  (cd "$home/supervisor" && find src Cargo.toml Cargo.lock .cargo -type f 2>/dev/null | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum)
}

do_supervisor() {
  check_supervisor && return 0
  find_cargo
  cargo_is_new_enough || die "building the supervisor needs cargo $CARGO_MIN or newer: berth setup installs it (as root)"
  say 'building the supervisor (cargo build --release) ...'
  hash=$(source_hash)
  # Named outright: cargo before 1.91 doesn't know the configuration's 'host-tuple'.
  triple=$(rustc -vV | sed -n 's/^host: //p')
  (cd "$home/supervisor" && CARGO_BUILD_TARGET=$triple cargo build --release --locked --quiet) || die 'the supervisor did not build; the message stands above'
  mkdir -p "$private/bin"
  # Renamed into place: a running keeper keeps the file that it was started from.
  cp "$home/supervisor/target/$triple/release/berth-supervisor" "$binary.new"
  mv "$binary.new" "$binary"
  printf '%s\n' "$hash" >"$private/supervisor.stamp"
}

# ---- user ----

check_user() { getent passwd berth >/dev/null && getent passwd berth-vm >/dev/null; }

do_user() {
  check_user && return 0
  need_root 'creating the system users berth and berth-vm'
  make_user berth 'berth control plane'
  make_user berth-vm 'berth microVMs'
}

make_user() {
  if getent passwd "$1" >/dev/null; then return 0; fi
  say "creating the system user $1 ..."
  groups=$(getent group "$1" >/dev/null && echo "--gid $1" || echo '--user-group')
  # shellcheck disable=SC2086
  useradd --system $groups --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin --comment "$2" "$1"
}

# ---- guest ----

guest=$private/guest

# Where no microVM can be, nothing is missing.
check_guest() {
  [ "$arch" = x64 ] || return 0
  for file in "$guest"/package/boot/vmlinuz-*; do [ -e "$file" ] && return 0; done
  return 1
}

do_guest() {
  check_guest && return 0
  have apt-get && have dpkg-deb || die "the guests' kernel is a package of Debian's, and apt-get is missing"
  say 'fetching the kernel of microVMs (linux-image-cloud-amd64) ...'
  rm -rf "$guest/new"
  mkdir -p "$guest/new/package"
  said=$(download_kernel 2>&1) || said=$(apt-get update -qq 2>&1 && download_kernel 2>&1) || die "apt-get could not fetch the kernel: $said"
  # Whole or not at all; without the drivers of hardware that no microVM has.
  modules='./lib/modules/*'
  dpkg-deb --fsys-tarfile "$guest"/new/*.deb | tar -x -C "$guest/new/package" --wildcards './boot/vmlinuz-*' "$modules/modules.builtin" \
    "$modules/kernel/[!d]*" "$modules/kernel/drivers/block/*" "$modules/kernel/drivers/char/*" "$modules/kernel/drivers/net/*" \
    "$modules/kernel/drivers/virtio/*" || die 'the package of the kernel could not be unpacked; the message stands above'
  rm -rf "$guest/package"
  mv "$guest/new/package" "$guest/package"
  rm -rf "$guest/new"
}

# linux-image-cloud-amd64 itself is empty: it depends on the kernel of the day.
download_kernel() (
  real=$(apt-cache depends --important linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
  [ -n "$real" ] || { echo 'no package linux-image-cloud-amd64 is known'; exit 1; }
  cd "$guest/new" && apt-get download -q -o APT::Sandbox::User=root -o Acquire::Retries=2 "$real"
)

# ---- gvisor ----

# The version whose control protocol berth speaks (src/sandbox/gvisor/settings.ts). bookworm itself has an older one; its backports,
# trixie and sid have this one. It is a static program of one file, so it is taken out of its package and kept in berth's own directory:
# the machine's list of sources, its packages and a runsc that somebody else uses stay as they are.
RUNSC_VERSION=0.0~20240729.0
gvisor=$private/gvisor

check_gvisor() { [ -x "$gvisor/bin/runsc" ] && [ "$(cat "$gvisor/version" 2>/dev/null)" = "$RUNSC_VERSION" ]; }

do_gvisor() {
  check_gvisor && return 0
  have apt-get && have dpkg-deb || { say 'gVisor is a package of Debian, and apt-get is missing: tasks can not have it here'; return 0; }
  say "fetching gVisor (runsc $RUNSC_VERSION) ..."
  rm -rf "$gvisor/new"
  for suite in bookworm-backports trixie; do
    if said=$(download_runsc "$suite" 2>&1); then
      mkdir -p "$gvisor/bin"
      mv "$gvisor/new/package/usr/bin/runsc" "$gvisor/bin/runsc"
      printf '%s\n' "$RUNSC_VERSION" >"$gvisor/version"
      rm -rf "$gvisor/new"
      return 0
    fi
  done
  rm -rf "$gvisor/new"
  # One kind of sandbox less is no reason for none.
  say "gVisor could not be fetched, so tasks can not have it here: $said"
}

# By lists of its own: apt-get's options keep everything below $gvisor/new.
download_runsc() (
  dir=$gvisor/new
  rm -rf "$dir"
  mkdir -p "$dir/lists/partial" "$dir/archives/partial" "$dir/package"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -E '/debian/?$' | head -n 1)
  printf 'deb [signed-by=%s] %s %s main\n' /usr/share/keyrings/debian-archive-keyring.gpg "${mirror:-http://deb.debian.org/debian}" "$1" >"$dir/sources.list"
  set -- -q -o APT::Sandbox::User=root -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::Languages=none \
    -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=- -o Dir::Etc::Preferences=- -o Dir::Etc::PreferencesParts=- \
    -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir"
  cd "$dir"
  apt-get "$@" update || exit 1
  apt-get "$@" download "runsc=$RUNSC_VERSION*" || exit 1
  dpkg-deb -x runsc_*.deb package && [ "$(package/usr/bin/runsc --version | sed -n 's/^runsc version //p')" = "$RUNSC_VERSION" ]
)

# ---- which ----

case "${1:-all}" in
  check) shift; "check_${1:?which part}"; exit ;;
  node | packages | supervisor | user | guest | gvisor | all) ;;
  *) die "tools/setup.sh knows node, packages, supervisor, user, guest, gvisor and all, not '$1'" ;;
esac

mkdir -p "$private"
# One at a time: two commands that both find something missing must not build over each other.
exec 9>"$private/setup.lock"
flock 9
case "${1:-all}" in
  all) do_node; do_packages; do_supervisor; do_user; do_guest; do_gvisor ;;
  *) "do_$1" ;;
esac
