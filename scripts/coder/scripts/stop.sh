# pushready at stop: keeps the login as the agent refreshed it. Stopping waits 4 seconds for it at most, and never fails for it.
pushready=$(find_pushready) || exit 0
# what `pushready remove` took away stays away until the next start
[ -e "${XDG_STATE_HOME:-$HOME/.local/state}/pushready/receipt.json" ] || exit 0
limit='timeout -s KILL 4'
command -v timeout >/dev/null || limit=
# shellcheck disable=SC2086 # words
status=0
$limit "$pushready" apply </dev/null || status=$?
# 1 and 2 are of other things, such as a bad key
[ "$status" -lt 3 ] || echo 'note     not kept this time: what was kept before stays'
exit 0
