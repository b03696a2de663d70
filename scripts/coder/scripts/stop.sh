# pushready at stop: keeps the login as the agent refreshed it. This delays a stop by 4 seconds at most, and never fails it.
pushready=$(find_pushready) || exit 0
# what `pushready remove` removed stays removed until the next start
[ -e "${XDG_STATE_HOME:-$HOME/.local/state}/pushready/receipt.json" ] || exit 0
limit='timeout -s KILL 4'
command -v timeout >/dev/null || limit=
# shellcheck disable=SC2086 # words
status=0
$limit "$pushready" apply </dev/null || status=$?
# 1 and 2 have other causes, such as a bad key
[ "$status" -lt 3 ] || echo 'note     the login was not kept this time; the copy kept before stays'
exit 0
