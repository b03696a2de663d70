# `coder exp sync`: waits for the units, and is a unit itself. On an agent without it, the script starts all the same.
if coder exp sync ping >/dev/null 2>&1; then
  trap 'coder exp sync complete "$unit" >/dev/null' EXIT
  # shellcheck disable=SC2086 # each is one word
  [ -z "$units" ] || coder exp sync want "$unit" $units
  coder exp sync start "$unit" || echo 'warning: did not wait for the other scripts' >&2
fi
