#!/usr/bin/env bash
# Whether the runner disturbs what it measures: the same benchmark alone and under the runner, in
# pairs, each pair in random order. Prints the ratio of medians per pair and the median ratio.
# Build first: cargo build --release -p railsbench-cli -p railsbench-runner
#
#   benches/runner_overhead.sh [PAIRS] [BENCHMARK]
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=${1:-10}
benchmark=${2:-json_serialize}
target="${CARGO_TARGET_DIR:-target}/release"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '{"ruby_version":"system","local":["host"],"workload":{"suite":"rails","benchmarks":["%s"],"min_seconds":3}}' \
  "$benchmark" >"$folder/config.json"
printf '{"task_id":"alone","benchmarks":["%s"],"quick":false,"min_seconds":3,"ruby_version":"system","vcpus":%s}' \
  "$benchmark" "$(nproc)" >"$folder/spec.json"

median() { ruby -rjson -e 'times = JSON.load_file(ARGV[0])["raw_data"]["interp"].values[0]["bench"].sort; puts times[times.size / 2]' "$1"; }

alone() {
  rm -rf "$folder/output" "$folder/scratch"
  mkdir "$folder/output" "$folder/scratch"
  (cd railsbench-runner/workloads/rails &&
    RAILSBENCH_SPEC="$folder/spec.json" RAILSBENCH_OUTPUT_DIR="$folder/output" \
      RAILSBENCH_SCRATCH_DIR="$folder/scratch" RAILSBENCH_PROGRESS=/dev/null ruby run.rb >/dev/null 2>&1)
  median "$folder/output/output.json"
}

under_runner() {
  rm -rf "$folder/results" "$folder/state"
  "$target/railsbench" run "$folder/config.json" --yes --run-id overhead \
    --state-dir "$folder/state" --results-dir "$folder/results" >/dev/null 2>&1
  median "$folder/results/overhead/host-1/output.json"
}

for ((pair = 1; pair <= pairs; pair++)); do
  if ((RANDOM % 2)); then
    a=$(alone) && b=$(under_runner)
  else
    b=$(under_runner) && a=$(alone)
  fi
  awk -v alone="$a" -v runner="$b" 'BEGIN { printf "%.4f\n", runner / alone }' | tee -a "$folder/ratios"
done
sort -n "$folder/ratios" | awk '{ ratio[NR] = $1 } END { printf "median ratio %.4f, from %.4f to %.4f\n", ratio[int((NR + 1) / 2)], ratio[1], ratio[NR] }'
