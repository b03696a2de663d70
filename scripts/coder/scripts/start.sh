# pushready: install, apply, and with `prove` (the seconds to wait) the verdict. Secrets come from the environment alone.
# Red for what PUSHREADY_REQUIRE names, and for nothing else; never in a prebuilt workspace that nobody has claimed.
finish() {
  if [ "$1" != 0 ] && [ "$prove" ] && [ "${PUSHREADY_REQUIRE:-}" ] && [ -z "${PUSHREADY_UNCLAIMED:-}" ]; then exit 1; fi
  exit 0
}

installed=0
install_pushready || installed=$?
pushready=$(find_pushready) || {
  echo 'NOT READY pushready could not be installed'
  finish 1
}
[ "$installed" = 0 ] || echo "note     going on with what is there: $("$pushready" --version)"
"$pushready" apply </dev/null
if [ -z "$prove" ] || [ "${PUSHREADY_UNCLAIMED:-}" ]; then exit 0; fi
"$pushready" doctor --wait "$prove" --short --required </dev/null
finish $?
