#!/usr/bin/env bash
# What the runner itself costs while a quick Rails run goes on: memory, CPU time, wake-ups.
# Prints one line. Build first: cargo build --release -p railsbench-cli -p railsbench-runner
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}/release"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$target/railsbench" run examples/local.json --yes --run-id footprint \
  --state-dir "$folder/state" --results-dir "$folder/results" >/dev/null 2>&1 &
run=$!
runner=
while [ -z "$runner" ]; do
  sleep 0.2
  # The kernel keeps 15 letters of a name. The oldest, because the runner starts itself again
  # for a moment to start a workload.
  runner=$(pgrep -o -x railsbench-runn || true)
done
field() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$runner/status"; }
while kill -0 "$run" 2>/dev/null && [ -r "/proc/$runner/stat" ]; do
  read -r rss < <(field VmHWM) || break
  read -r anonymous < <(field RssAnon) || break
  read -r woken < <(field voluntary_ctxt_switches) || break
  stat=$(cut -d' ' -f14,15,22 "/proc/$runner/stat" 2>/dev/null) || break
  read -r user system started <<<"$stat"
  up=$(cut -d' ' -f1 /proc/uptime)
  sleep 1
done
wait "$run"
awk -v rss="$rss" -v anonymous="$anonymous" -v woken="$woken" -v ticks=$((user + system)) \
  -v started="$started" -v up="$up" -v hertz="$(getconf CLK_TCK)" 'BEGIN {
    seconds = up - started / hertz
    printf "%.0f s: peak RSS %.1f MiB (%.1f MiB anonymous), %.2f s CPU (%.3f %%), %.1f wake-ups/s\n",
      seconds, rss / 1024, anonymous / 1024, ticks / hertz, 100 * ticks / hertz / seconds, woken / seconds
  }'
