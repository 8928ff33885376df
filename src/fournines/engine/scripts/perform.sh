# shellcheck shell=sh
# Carries out steps in order. stdin: a line `stop` or `continue` (what to do after a failure), then for each step a line
# `put MODE OWNER GROUP PATH_BYTES CONTENT_BYTES`, `dir MODE OWNER GROUP PATH_BYTES` or `run TIMEOUT SCRIPT_BYTES
# INPUT_BYTES` and those bytes.
# stdout: NUL-terminated records: `fournines-perform`, then `NUMBER STATUS OUTPUT` as each step ends.
umask 022
export LC_ALL=C.UTF-8
IFS=' ' read -r on_failure

# A command substitution drops trailing newlines; the dot, cut off by the caller, keeps them.
take() {
  head -c "$1"
  printf .
}

# Makes the directory $1 the current one, and the ones on the way that are missing. Whoever owns a directory may replace
# what is in it at any moment, so a symbolic link is followed only out of a directory that root alone writes to.
enter() {
  cd / || return
  rest=${1#/}
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    rest=${rest#"$part"}
    rest=${rest#/}
    [ -n "$part" ] || continue
    here=$(pwd -P)
    if [ -L "./$part" ]; then
      case $(stat -c '%u %A' .) in
        0\ d????-??-?*) cd -P "./$part" || return ;;
        *)
          echo "$here/$part is a symbolic link, in a directory that others than root write to: mount what it leads to" \
            "there instead (mount --bind)" >&2
          return 1
          ;;
      esac
    else
      [ -d "./$part" ] || mkdir "./$part" || return
      cd -P "./$part" || return
      if [ "$(pwd -P)" != "${here%/}/$part" ]; then
        echo "$here/$part was replaced by a symbolic link just now" >&2
        return 1
      fi
    fi
  done
}

# PATH MODE OWNER GROUP BYTES. The content is complete and on disk before it gets its name: no reader ever sees half a
# file. Until then it lies in a directory of root's own: in one that a service writes to, the service could exchange it.
place() (
  name=${1##*/}
  temporary=.fournines.$name
  enter "${1%/*}" || {
    head -c "$5" >/dev/null
    exit 1
  }
  here=$(pwd -P)
  rm -rf "./$temporary" && mkdir -m 700 "./$temporary" && (
    cd -P "./$temporary" && [ "$(pwd -P)" = "${here%/}/$temporary" ] &&
      (umask 077 && set -C && head -c "$5" >content) &&
      [ "$(stat -c %s content)" = "$5" ] &&
      chown "$3:$4" content &&
      chmod "$2" content &&
      sync content &&
      mv -fT content "../$name"
  )
  status=$?
  rm -rf "./$temporary"
  [ "$status" -eq 0 ] && sync .
)

# PATH MODE OWNER GROUP. With leading zeros: without them chmod keeps a set-group-ID bit that a package's directory above
# has handed down (/etc/valkey).
folder() (
  enter "$1" && chown "$3:$4" . && chmod "00$2" .
)

# An interrupted run leaves its last step running here: the next run waits for it instead of racing it.
run=${FOURNINES_RUN:-/run/fournines}
mkdir -p "$run"
exec 8>"$run/steps.lock"
flock -w 900 8
free=$?
printf '\0fournines-perform\0'
if [ "$free" -ne 0 ]; then
  printf '1 1 %s\0' "the last step of an interrupted run has not ended for 900 s"
  exit 1
fi
number=0
while IFS=' ' read -r kind a b c d e; do
  number=$((number + 1))
  case $kind in
    put)
      path=$(take "$d")
      said=$(place "${path%.}" "$a" "$b" "$c" "$e" 2>&1)
      status=$?
      ;;
    dir)
      path=$(take "$d")
      said=$(folder "${path%.}" "$a" "$b" "$c" 2>&1)
      status=$?
      ;;
    run)
      script=$(take "$b")
      script=${script%.}
      input=$(take "$c")
      input=${input%.}
      said=$(
        printf %s "$input" | timeout -k 5 "$a" sh -e /dev/fd/3 3<<SCRIPT 2>&1 8>&-
$script
SCRIPT
      )
      status=$?
      [ "$status" -ne 124 ] || said="$said
timed out after $a s"
      ;;
  esac
  if [ "$status" -eq 0 ]; then
    printf '%d 0 \0' "$number"
  else
    printf '%d %d %s\0' "$number" "$status" "$(printf %s "$said" | tail -c 2000)"
    [ "$on_failure" = continue ] || exit 0
  fi
done
