# pushready by cron: keeps the refreshed login, applies what a module undid, proves again. Prints one line if all is well.
pushready=$(find_pushready) || exit 0
# what `pushready remove` removed stays removed until the next start
[ -e "${XDG_STATE_HOME:-$HOME/.local/state}/pushready/receipt.json" ] || exit 0
# what is required and was never provided is reported once: by the doctor
report=$("$pushready" apply </dev/null 2>&1) ||
  printf '%s\n' "$report" | sed -e '/^FAIL *required-missing /,/^ *fix: /d' -e '/^NOT READY required-missing /d'
[ -z "${PUSHREADY_UNCLAIMED:-}" ] || exit 0
exec "$pushready" doctor --short --required </dev/null
