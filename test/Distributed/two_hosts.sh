#!/usr/bin/env bash
# Ranks on two hosts: two network namespaces joined by a veth pair, torchrun's variables, 2 x 2 ranks. The collectives
# must be those of plain arithmetic; when the line between the hosts is cut, every rank must end within 10 s.
#
#   two_hosts.sh PATH/nxdt_comm_process_tests      exits with 77 where namespaces are not allowed
set -euo pipefail
binary=$1
id=$$
a=nxdt-a-$id b=nxdt-b-$id
log=$(mktemp -d)
cleanup() {
  local pids
  for ns in "$a" "$b"; do
    pids=$(ip netns pids "$ns" 2>/dev/null || true)
    [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
    ip netns delete "$ns" 2>/dev/null || true
  done
  rm -rf "$log"
}
trap cleanup EXIT
if ! ip netns add "$a" 2>/dev/null || ! ip netns add "$b" 2>/dev/null ||
  ! ip link add "va$id" netns "$a" type veth peer name "vb$id" netns "$b" 2>/dev/null; then
  echo "skipped: no permission for network namespaces (or no ip)"
  exit 77
fi
ip -n "$a" addr add 10.9.0.1/24 dev "va$id"
ip -n "$b" addr add 10.9.0.2/24 dev "vb$id"
for ns in "$a" "$b"; do ip -n "$ns" link set lo up; done
ip -n "$a" link set "va$id" up
ip -n "$b" link set "vb$id" up

pids=()
start() { # program port
  pids=()
  for r in 0 1 2 3; do
    local ns=$a
    ((r < 2)) || ns=$b
    RANK=$r LOCAL_RANK=$((r % 2)) LOCAL_WORLD_SIZE=2 WORLD_SIZE=4 MASTER_ADDR=10.9.0.1 MASTER_PORT=$2 \
      OMP_NUM_THREADS=1 NXDT_TEST_PROGRAM=$1 \
      timeout 60 ip netns exec "$ns" "$binary" >"$log/$1.$r" 2>&1 &
    pids+=($!)
  done
}
fail() { echo "FAILED: $1"; tail -n +1 "$log"/*; exit 1; }

start collectives 29511
for pid in "${pids[@]}"; do wait "$pid" || fail "a rank failed"; done
for r in 0 1 2 3; do grep -q "ended well" "$log/collectives.$r" || fail "rank $r did not end well"; done

start spin 29512
for _ in $(seq 300); do
  [[ $(cat "$log"/spin.* | grep -c "^ready ") == 4 ]] && break
  sleep 0.1
done
cut=$SECONDS
ip -n "$a" link set "va$id" down
for r in 0 1 2 3; do
  code=0
  wait "${pids[$r]}" || code=$?
  [[ $code == 75 ]] || fail "rank $r ended with $code instead of 75"
  [[ $(grep -c "^error: " "$log/spin.$r") == 1 ]] || fail "rank $r does not say why, or more than once"
  grep -q "has given no sign of life" "$log/spin.$r" || fail "rank $r blames something else"
done
((SECONDS - cut <= 10)) || fail "it took $((SECONDS - cut)) s"
echo "passed: ended $((SECONDS - cut)) s after the cut"
