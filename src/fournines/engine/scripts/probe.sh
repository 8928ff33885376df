# shellcheck shell=sh disable=SC2016
# Replies to many facts in one go. stdin: seven numbers (bytes of path names, of unit names, of package names, of text
# names; count of snippets; bytes of forks.py and of its request, both 0 without any), the NUL-terminated names, each
# snippet after a line with its bytes, forks.py, its request.
# stdout: NUL-terminated records, the first `fournines-probe` (a login shell may have said something before), the last `.`.
export LC_ALL=C.UTF-8
IFS=' ' read -r paths units packages texts snippets forks files
printf '\0fournines-probe\0'
if [ "$paths" -gt 0 ]; then
  head -c "$paths" | xargs -0 sh -c '
    exec find -H "$@" -maxdepth 0 -printf "P%y %m %u %g %p\0" -type f -exec sha256sum -z -- {} + 2>/dev/null' find
fi
if [ "$units" -gt 0 ]; then
  printf U
  # `systemctl show` computes every property of every unit: thrice as long, in the one thread of systemd.
  head -c "$units" | xargs -0 sh -c '
    systemctl list-units --all --plain --no-legend --full -- "$@" 2>/dev/null && echo &&
    systemctl list-unit-files --plain --no-legend --full -- "$@" 2>/dev/null' units
  printf '\0'
fi
if [ "$packages" -gt 0 ]; then
  printf K
  head -c "$packages" | xargs -0 dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' -- 2>/dev/null
  printf '\0'
fi
if [ "$texts" -gt 0 ]; then
  head -c "$texts" | xargs -0 -n 1 sh -c '
    printf T
    if [ -f "$1" ]; then printf =; head -c 1048576 -- "$1" | base64 -w 0; fi
    printf "\0"' text
fi
newline='
'
i=0
while [ "$i" -lt "$snippets" ]; do
  read -r size
  snippet=$(head -c "$size")
  # All at once: ten that wait for the same dead database cost one timeout, not ten. What they run is on no command line,
  # which every user of the host may read: it may hold the digest of a password.
  {
    if said=$(
      timeout -k 1 10 sh /dev/fd/3 3<<SNIPPET </dev/null 2>/dev/null
$snippet
SNIPPET
    ); then
      printf 'S%d=%.4000s\0' "$i" "${said%%"$newline"*}"
    else
      printf 'S%d\0' "$i"
    fi
  } &
  i=$((i + 1))
done
if [ "$files" -gt 0 ]; then
  forks=$(head -c "$forks")
  head -c "$files" | timeout -k 1 15 python3 -c "$forks" 2>/dev/null
fi
wait
printf '.\0'
