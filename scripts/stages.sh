# Named, timed steps of a check. Sourced by .ci/run and scripts/full_check.sh.
stage_times=()
current_stage=

# stage <name> <command>...: runs the command, which ends the script if it fails.
stage() {
  local name=$1 start=$SECONDS
  current_stage=$name
  shift
  echo "== $name"
  "$@"
  current_stage=
  stage_times+=("$(printf '%-28s %5d s' "$name" $((SECONDS - start)))")
  echo "== ${stage_times[-1]}"
}

stages_summary() {
  echo
  printf '%s\n' "${stage_times[@]}"
  printf '%-28s %5d s\n' "all" "$SECONDS"
}

# For the EXIT trap: says which step a script ended in.
stages_failed() { [[ -z $current_stage ]] || echo "FAILED in: $current_stage" >&2; }
