# pushready: install, apply, and with `prove` (the seconds to wait) the verdict. Secrets come from the environment alone.
# Fails for what PUSHREADY_REQUIRE names, and for nothing else; never in a prebuilt workspace that is not claimed yet.
finish() {
  if [ "$1" != 0 ] && [ "$prove" ] && [ "${PUSHREADY_REQUIRE:-,}" != , ] && [ -z "${PUSHREADY_UNCLAIMED:-}" ]; then exit 1; fi
  exit 0
}

# status.sh names the log: an installation that failed is not one that has not begun
failed=${TMPDIR:-/tmp}/pushready-not-installed.$(id -u)
installed=0
said=$(install_pushready 2>&1) || installed=$?
if [ "$installed" = 0 ]; then
  [ -z "$said" ] || printf '%s\n' "$said"
  [ ! -d "$failed" ] || rm -rf "$failed" || :
else
  [ -z "$said" ] || printf '%s\n' "$said" >&2
  # shellcheck disable=SC3067 # dash, busybox, bash and ksh have -O
  if mkdir -m 700 "$failed" 2>/dev/null || { [ ! -h "$failed" ] && [ -d "$failed" ] && [ -O "$failed" ]; }; then
    printf '%s\n' "${said:-pushready is not on the PATH of the image, and the module has install = false}" >"$failed/install.log"
  fi
fi
pushready=$(find_pushready) || {
  echo 'NOT READY pushready could not be installed'
  finish 1
}
[ "$installed" = 0 ] || echo "note     continuing with the installed version: $("$pushready" --version)"

# what is required and was never provided is reported once, with the command that creates it: by the verdict
report=$("$pushready" apply </dev/null) || :
report=$(printf '%s\n' "$report" | sed '/^FAIL *required-missing /,/^ *fix: /d')
if [ -z "$prove" ] || [ "${PUSHREADY_UNCLAIMED:-}" ]; then
  case $report in
    'FAIL '* | *'
FAIL '*) ;;
    *) report=$(printf '%s\n' "$report" | sed '$s/^NOT READY required-missing .*/note     something required is missing: the verdict of the start script names it, and how to create it/') ;;
  esac
  printf '%s\n' "$report"
  exit 0
fi
# the last line is the doctor's verdict: apply's own last line is about the files alone
printf '%s\n' "$report" | sed '$d'
status=0
verdict=$("$pushready" doctor --wait "$prove" --short --required </dev/null) || status=$?
[ -z "$verdict" ] || printf '%s\n' "$verdict"
# also if it exits 1 with output on stderr alone, as an older binary does that cannot read a newer receipt
if [ "$status" -gt 1 ] || [ -z "$verdict" ]; then echo "NOT READY the doctor could not run: $("$pushready" --version)"; fi
finish "$status"
