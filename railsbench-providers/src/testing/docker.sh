# Stands for docker on a machine that is a folder: images are names, and the one container that
# is started detached is a process of this host.
case "$1 ${2:-}" in
  'container inspect') [ -e "$MACHINE/container" ] ;;
  'image inspect') grep -qxF -e "$3" "$MACHINE/images" 2>/dev/null ;;
  'pull --quiet') printf '%s\n' "$3" >>"$MACHINE/images" ;;
  'commit railsbench-gems') printf '%s\n' "$3" >>"$MACHINE/images" ;;
  'run --detach')
    : >"$MACHINE/container"
    while [ $# -gt 0 ]; do
      case $1 in
        --env-file) env_file=$2 ;;
        --volume)
          case $2 in
            *:/usr/local/bin/railsbench-runner:ro) runner=${2%%:*} ;;
            *:/work) work=${2%%:*} ;;
            *:/etc/railsbench-ca.pem:ro) ca=${2%%:*} ;;
          esac
          ;;
      esac
      shift
    done
    while IFS= read -r line; do
      export "${line?}"
    done <"$env_file"
    export RAILSBENCH_WORKDIR="$work"
    if [ -n "${RAILSBENCH_CA_FILE:-}" ]; then
      export RAILSBENCH_CA_FILE="$ca"
    fi
    (
      cd "$work" || exit
      status=0
      "$runner" >"$MACHINE/runner.log" 2>&1 || status=$?
      printf '%s\n' "$status" >"$MACHINE/runner.status.new"
      mv "$MACHINE/runner.status.new" "$MACHINE/runner.status"
    ) >/dev/null 2>&1 9>&- &
    ;;
  'logs --follow')
    until [ -e "$MACHINE/runner.status" ]; do
      sleep 0.1
    done
    cat "$MACHINE/runner.log"
    ;;
  'wait railsbench-runner') cat "$MACHINE/runner.status" ;;
esac
