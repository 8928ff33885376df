# shellcheck shell=sh
# Carries out steps in order. stdin: a line `stop` or `continue` (what to do after a failure), then for each step a line
# `put MODE OWNER GROUP PATH_BYTES CONTENT_BYTES` or `run TIMEOUT SCRIPT_BYTES INPUT_BYTES` and those bytes.
# stdout: NUL-terminated records: `fournines-perform`, then `NUMBER STATUS OUTPUT` as each step ends.
umask 022
export LC_ALL=C.UTF-8
IFS=' ' read -r on_failure

# A command substitution drops trailing newlines; the dot, cut off by the caller, keeps them.
take() {
  head -c "$1"
  printf .
}

# The content is complete and on disk before it gets its name: no reader ever sees half a file.
place() {
  mkdir -p "${1%/*}" &&
    rm -f "$2" &&
    (umask 077 && set -C && head -c "$6" >"$2") &&
    chown "$4:$5" "$2" &&
    chmod "$3" "$2" &&
    sync "$2" &&
    mv -fT "$2" "$1" &&
    sync "${1%/*}"
}

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
      path=${path%.}
      temporary=${path%/*}/.fournines.${path##*/}
      said=$(place "$path" "$temporary" "$a" "$b" "$c" "$e" 2>&1)
      status=$?
      [ "$status" -eq 0 ] || rm -f "$temporary"
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
