#!/usr/bin/env bash
# A Swarm of several nodes on one machine: Docker Engines in network and mount namespaces of their own, on a bridge that
# reaches this machine alone. Needs root, and the image node:26-slim at the machine's engine.
#
#   nodes.sh up N     N nodes at 10.77.0.11 and on, of which the first is the manager: unix:///$dir/node1/docker.sock
#   nodes.sh cut N    takes the cable of node N out
#   nodes.sh mend N   puts it in again
#   nodes.sh down     ends all of them
set -euo pipefail

dir=${SWARM_NODES_DIR:-/tmp/ringmaster-swarm}
hub=rm-swarm

engine() {
  local node=$1
  shift
  docker -H "unix://$dir/node$node/docker.sock" "$@"
}

make_hub() {
  ip netns list | grep -q "^$hub\b" && return
  ip netns add $hub
  ip -n $hub link add br0 type bridge
  ip -n $hub link set br0 up
  ip -n $hub link set lo up
  ip link add rm-swarm0 type veth peer name root0 netns $hub
  ip -n $hub link set root0 master br0 up
  ip addr add 10.77.0.1/24 dev rm-swarm0
  ip link set rm-swarm0 up
}

make_node() {
  local node=$1 namespace=$hub-node$1 home=$dir/node$1
  mkdir -p "$home/run"
  if ! ip netns list | grep -q "^$namespace\b"; then
    ip netns add "$namespace"
    ip link add eth0 netns "$namespace" type veth peer name "n$node" netns $hub
    ip -n $hub link set "n$node" master br0 up
    ip -n "$namespace" addr add "10.77.0.1$node/24" dev eth0
    ip -n "$namespace" link set eth0 up
    ip -n "$namespace" link set lo up
    ip -n "$namespace" route add default via 10.77.0.1
  fi
  engine "$node" version >/dev/null 2>&1 && return
  rm -f "$home/docker.pid"
  # Only what Docker needs: other parts of containerd look for file systems that are not there.
  printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$home/containerd.toml"
  # A Swarm asks a registry for each image that has no digest, and takes its own if that fails. No name can be looked up
  # from here, so it is to fail at once: nobody listens there.
  echo 'nameserver 127.0.0.1' >"$home/resolv.conf"
  cat >"$home/begin" <<BEGIN
mount --make-rprivate /
mount --bind $home/run /run
mount --bind $home/resolv.conf /etc/resolv.conf
hostname node$node
containerd --root $home/cdata --state $home/cstate --address $home/containerd.sock --config $home/containerd.toml >$home/containerd.log 2>&1 &
echo \$! >$home/containerd.pid
until ctr -a $home/containerd.sock version >/dev/null 2>&1; do sleep 0.2; done
exec dockerd --containerd $home/containerd.sock --data-root $home/data --exec-root $home/exec --pidfile $home/docker.pid -H unix://$home/docker.sock
BEGIN
  setsid nsenter --net="/run/netns/$namespace" unshare --mount --uts bash "$home/begin" >"$home/log" 2>&1 </dev/null &
  for _ in $(seq 600); do
    engine "$node" version >/dev/null 2>&1 && return
    sleep 0.2
  done
  echo "nodes.sh: node $node did not begin within 120 s: $home/log" >&2
  exit 1
}

up() {
  make_hub
  mkdir -p "$dir"
  [[ -s $dir/image.tar ]] || docker save node:26-slim -o "$dir/image.tar"
  for node in $(seq "$1"); do
    make_node "$node"
    engine "$node" image inspect node:26-slim >/dev/null 2>&1 || engine "$node" load --quiet --input "$dir/image.tar"
  done
  [[ $(engine 1 info --format '{{.Swarm.LocalNodeState}}') == active ]] || engine 1 swarm init --advertise-addr 10.77.0.11 >/dev/null
  local token
  token=$(engine 1 swarm join-token --quiet worker)
  for node in $(seq 2 "$1"); do
    [[ $(engine "$node" info --format '{{.Swarm.LocalNodeState}}') == active ]] ||
      engine "$node" swarm join --token "$token" --advertise-addr "10.77.0.1$node" 10.77.0.11:2377
  done
}

# Ends that process if its command line says that it is of these nodes: its number may be another's by now.
end_process() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  grep -qs "$dir/" "/proc/$pid/cmdline" || return 0
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.2
  done
}

down() {
  for home in "$dir"/node*; do
    end_process "$home/docker.pid"
    end_process "$home/containerd.pid"
  done
  for namespace in $(ip netns list | grep -o "^$hub[-a-z0-9]*"); do ip netns del "$namespace"; done
  ip link del rm-swarm0 2>/dev/null || true
  rm -rf "$dir"
}

case ${1:-} in
  up) up "${2:?how many nodes}" ;;
  cut) ip -n $hub link set "n${2:?which node}" down ;;
  mend) ip -n $hub link set "n${2:?which node}" up ;;
  down) down ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" ;;
esac
