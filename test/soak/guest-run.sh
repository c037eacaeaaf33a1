#!/bin/sh
# Runs inside the virtual machine, as a new user would: the demo on a stock Debian 12, then what a container may not do, then down.
# Every line that begins with SOAK is read by debian-vm.test.ts.
cd /opt/berth || exit 1
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
dhclient >/dev/null 2>&1
echo
echo "SOAK kernel $(uname -r)"
echo "SOAK cgroup $(stat -fc %T /sys/fs/cgroup)"
step() {
  name=$1
  shift
  begun=$(cut -d' ' -f1 /proc/uptime)
  "$@" >/tmp/out 2>&1
  code=$?
  cat /tmp/out
  echo "SOAK step $name $code $begun $(cut -d' ' -f1 /proc/uptime)"
}
step setup ./berth setup
step doctor ./berth doctor
# What is looked at here is the container sandbox, whatever else may work in a machine like this.
step up ./berth up --isolation container
step demo ./berth demo
step again ./berth demo
step ps ./berth ps --json
name=$(./berth ps --json | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' | head -n 1)
step page curl -fsS --max-time 20 -H "Host: $name.localhost" http://127.0.0.1:8080/
# More memory than the task has: it must end with 137 and say why.
tar -C / -cf /tmp/busybox.tar bin/busybox
step import ./berth image import /tmp/busybox.tar --name soak.local/busybox:1
step memory ./berth run hog --image soak.local/busybox:1 --memory 512 -- /bin/busybox sh -c 'x=x; while :; do x=$x$x; done'
# A quarter of an emulated processor takes its time to write half a GiB.
ended() {
  for _ in $(seq 90); do
    ./berth ps -a | grep 'hog .*STOPPED' && return
    sleep 2
  done
  return 1
}
step ended ended
step gvisor ./berth run walled --image soak.local/busybox:1 --isolation gvisor -- /bin/busybox sh -c 'echo from gVisor $(/bin/busybox cat /proc/version)'
said() {
  for _ in $(seq 90); do
    ./berth logs walled | grep '^from gVisor' && return
    sleep 2
  done
  return 1
}
step said said
step down ./berth down
echo "SOAK left $(ip -o link | grep -c ': br[0-9a-f]\{6\}') links $(find /sys/fs/cgroup -maxdepth 1 -name 'berth-*' | wc -l) cgroups $(grep -c berth /proc/self/mountinfo) mounts $(nft list tables | grep -c berth) tables"
echo 'SOAK end'
systemctl poweroff --force --force
