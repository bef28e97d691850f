#!/usr/bin/env bash
# nxdt-run on two hosts: two network namespaces joined by a veth pair, torchrun's variables, tp 2 x dp 2 with two ranks on each.
# Every loss, norm and weight must be bit for bit those of four ranks on one host.
#
#   two_hosts_train.sh BIN CASE WORK      exits with 77 where namespaces are not allowed
set -euo pipefail
bin=$(realpath "$1") case=$(realpath "$2")
rm -rf "$3"
mkdir -p "$3"
work=$(realpath "$3")
id=$$
a=nxdt-c-$id b=nxdt-d-$id
cleanup() {
  local pids ns
  for ns in "$a" "$b"; do
    pids=$(ip netns pids "$ns" 2>/dev/null || true)
    [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
    ip netns delete "$ns" 2>/dev/null || true
  done
}
trap cleanup EXIT
if ! ip netns add "$a" 2>/dev/null || ! ip netns add "$b" 2>/dev/null ||
  ! ip link add "vc$id" netns "$a" type veth peer name "vd$id" netns "$b" 2>/dev/null; then
  echo "skipped: no permission for network namespaces (or no ip)"
  exit 77
fi
ip -n "$a" addr add 10.9.1.1/24 dev "vc$id"
ip -n "$b" addr add 10.9.1.2/24 dev "vd$id"
for ns in "$a" "$b"; do ip -n "$ns" link set lo up; done
ip -n "$a" link set "vc$id" up
ip -n "$b" link set "vd$id" up

fail() { echo "FAILED: $1"; tail -n 20 "$work"/rank-* 2>/dev/null || true; exit 1; }
strategy=(distributed_strategy.tensor_model_parallel_size=2 distributed_strategy.zero1=True distributed_strategy.sequence_parallel=True)
export OMP_NUM_THREADS=1

"$bin/nxdt-run" "$case/config.yaml" trainer.devices=4 "${strategy[@]}" exp_manager.explicit_log_dir="$work/one" >"$work/rank-one" 2>&1 ||
  fail "the run on one host"

pids=()
for r in 0 1 2 3; do
  ns=$a
  ((r < 2)) || ns=$b
  RANK=$r LOCAL_RANK=$((r % 2)) LOCAL_WORLD_SIZE=2 WORLD_SIZE=4 MASTER_ADDR=10.9.1.1 MASTER_PORT=29513 \
    timeout 200 ip netns exec "$ns" "$bin/nxdt-run" "$case/config.yaml" trainer.devices=2 trainer.num_nodes=2 "${strategy[@]}" \
    exp_manager.explicit_log_dir="$work/two" >"$work/rank-$r" 2>&1 &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "a rank failed"; done
# That the bytes took the line between the hosts.
sent=$(ip netns exec "$a" cat "/sys/class/net/vc$id/statistics/tx_bytes" 2>/dev/null || ip -n "$a" -s -j link show "vc$id" | grep -o '"bytes":[0-9]*' | tail -n 1 | cut -d: -f2)
((sent > 1000000)) || fail "only $sent bytes went from one host to the other"

for host in one two; do
  sed -E 's/,"(step_time_s|tokens_per_s|peak_memory_bytes)":[^,}]*//g' "$work/$host/metrics.jsonl" >"$work/$host.metrics"
  [[ $(grep -c '"loss":' "$work/$host.metrics") -ge 2 ]] || fail "no losses on $host"
  "$bin/nxdt-ckpt" to-hf "$(dirname "$(find "$work/$host/checkpoints" -name done | sort | tail -n 1)")" "$work/hf-$host" >"$work/rank-export" 2>&1 || fail "export"
done
cmp "$work/one.metrics" "$work/two.metrics" || fail "the losses differ: $(diff "$work/one.metrics" "$work/two.metrics" | head -n 4)"
cmp "$work/hf-one/model.safetensors" "$work/hf-two/model.safetensors" || fail "the weights differ"
echo "passed: $(grep -c '"loss":' "$work/two.metrics") steps on two hosts are those on one, $sent bytes over the line"
