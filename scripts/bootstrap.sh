#!/bin/sh
# Installs what fournines needs on this machine: system packages by apt, Python packages into .venv. What is there already
# is left alone; with nothing missing it takes no time and no network.
#
#   scripts/bootstrap.sh          what the commands need
#   scripts/bootstrap.sh tests    and what the tests need
#   scripts/bootstrap.sh vm       and what virtual machines of a lab need (`lab: hosts:` of a cloud file)
#
# PYTHON=/path/to/python3.x chooses the interpreter (3.11 or newer).
set -eu
cd "$(dirname "$0")/.."

die() { printf 'bootstrap: %s\n' "$1" >&2; exit 1; }
say() { printf '%s\n' "$1" >&2; }

missing() { # of the packages named: those that are not installed
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" = installed ] || printf '%s ' "$package"
    done
}

apt_install() {
    wanted=$(missing "$@")
    [ -n "$wanted" ] || return 0
    [ "$(id -u)" = 0 ] || die "these packages are missing: $wanted- run the same command with sudo"
    say "installing: $wanted"
    apt_update
    no_daemons
    # shellcheck disable=SC2086  # a list of words
    DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes quietly apt-get install -y --no-install-recommends $wanted
}

no_daemons() { # a package that brings one (openssh-server) must not start it here
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

apt_update() { # once
    [ -n "${updated:-}" ] || quietly apt-get update
    updated=yes
}

in_sources() { # whether apt knows where to get the package
    apt_update
    apt-cache policy "$1" | grep -q 'Candidate: [^(]'
}

quietly() { # what the command says is shown only when it fails
    said=$("$@" 2>&1) || { printf '%s\n' "$said" | tail -n 20 >&2; die "$1 $2 failed: see above"; }
}

good_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; }

find_python() { # the first interpreter that is new enough
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if good_python "$candidate"; then command -v "$candidate"; return; fi
    done
}

command -v apt-get > /dev/null || die "this is neither Debian nor Ubuntu: install the packages named in $0 by hand"

lab="python3 mmdebstrap debian-archive-keyring systemd-container iproute2 nftables openssh-client openssl util-linux procps"
tests="nodejs chromium chromium-driver curl openssh-server"
# shellcheck disable=SC2086
apt_install $lab
[ "${1:-}" != vm ] || apt_install qemu-system-x86 e2fsprogs
if [ "${1:-}" = tests ] && [ ! -e .venv/.tests ] && [ "$(id -u)" = 0 ]; then
    lacked_sshd=$(missing openssh-server)
    # Ubuntu has Chromium as a snap only: the browser tests then say that they were skipped.
    # shellcheck disable=SC2086
    for package in $(missing $tests); do
        if in_sources "$package"; then apt_install "$package"; else say "not in this machine's apt sources: $package"; fi
    done
    # The tests run sshd themselves, on addresses of their own.
    [ -z "$lacked_sshd" ] || systemctl --quiet disable ssh.service 2> /dev/null || true
fi

stamp=.venv/.installed
if [ -x .venv/bin/python ] && [ -e "$stamp" ] && cmp -s requirements.lock "$stamp"; then
    [ "${1:-}" != tests ] || touch .venv/.tests
    exit 0
fi

python=$(find_python)
if [ -z "$python" ]; then
    in_sources python3.11 || die "Python 3.11 or newer is needed: install one and say PYTHON=/path/to/it"
    apt_install python3.11 python3.11-venv
    python=$(find_python)
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import ensurepip, venv' 2> /dev/null || apt_install "python$version-venv"

say "installing Python packages into .venv ($("$python" --version))"
good_python .venv/bin/python || { rm -rf .venv; "$python" -m venv .venv; }
# Nothing is installed that is not, byte for byte, what requirements.lock names; what builds the package is in it too.
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
cp requirements.lock "$stamp"
[ "${1:-}" != tests ] || touch .venv/.tests
# Under sudo, what lies in the working tree stays its owner's.
chown -R --reference=. .venv ./*.egg-info src/*.egg-info 2> /dev/null || true
