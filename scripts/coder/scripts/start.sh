# pushready: install, apply, and with `prove` (the seconds to wait) the verdict. Secrets come from the environment alone.
# Fails for what PUSHREADY_REQUIRE names, and for nothing else; never in a prebuilt workspace that is not claimed yet.
finish() {
  if [ "$1" != 0 ] && [ "$prove" ] && [ "${PUSHREADY_REQUIRE:-,}" != , ] && [ -z "${PUSHREADY_UNCLAIMED:-}" ]; then exit 1; fi
  exit 0
}

# status.sh reads it: an installation that failed is not one that has not begun
failed=${TMPDIR:-/tmp}/pushready-not-installed.$(id -u)
installed=0
install_pushready || installed=$?
[ ! -d "$failed" ] || rmdir "$failed" || :
pushready=$(find_pushready) || {
  mkdir "$failed" || :
  echo 'NOT READY pushready could not be installed'
  finish 1
}
[ "$installed" = 0 ] || echo "note     continuing with the installed version: $("$pushready" --version)"
if [ -z "$prove" ] || [ "${PUSHREADY_UNCLAIMED:-}" ]; then
  "$pushready" apply </dev/null
  exit 0
fi
# the last line is the doctor's verdict: apply's own last line is about the files alone
"$pushready" apply </dev/null | sed '$d'
status=0
verdict=$("$pushready" doctor --wait "$prove" --short --required </dev/null) || status=$?
[ -z "$verdict" ] || printf '%s\n' "$verdict"
# also if it exits 1 with output on stderr alone, as an older binary does that cannot read a newer receipt
if [ "$status" -gt 1 ] || [ -z "$verdict" ]; then echo "NOT READY the doctor could not run: $("$pushready" --version)"; fi
finish "$status"
