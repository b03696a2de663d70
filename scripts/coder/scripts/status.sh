# pushready in the dashboard
if pushready=$(find_pushready); then exec "$pushready" status --line </dev/null; fi
echo starting
