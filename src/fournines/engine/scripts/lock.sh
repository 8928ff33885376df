# shellcheck shell=sh
# Holds this host for one run for as long as beats arrive. stdin: a line that names the owner, then a byte now and then.
# stdout: NUL-terminated records: `fournines-lock`, then `held OWNER` (of who has it) or `locked`.
# The lock ends with this process: at the end of stdin, or after 45 s without a beat (the other machine lost power, or
# the network did not say that it is gone).
printf '\0fournines-lock\0'
IFS= read -r owner
run=${FOURNINES_RUN:-/run/fournines}
mkdir -p "$run"
exec 9>>"$run/lock"
if ! flock -n 9; then
  printf 'held %s\0' "$(head -n 1 "$run/lock")"
  exit 0
fi
printf '%s\n' "$owner" >"$run/lock"
printf 'locked\0'
while [ -n "$(timeout 45 head -c 1)" ]; do :; done
: >"$run/lock"
