#!/bin/sh
# A three-controller control plane on this machine, from nothing to a proof: brought up, applied, faults injected, the
# outage measured. CLOUD and FAULTS choose others.
set -eu
cd "$(dirname "$0")/.."
cloud=${CLOUD:-examples/three-controllers.yaml}
faults=${FAULTS:-host.power_off@vip,service.freeze@keystone}
fournines=.venv/bin/fournines

step() { printf '\n== %s\n' "$1" >&2; }

scripts/bootstrap.sh
step "the lab: hosts of $cloud on this machine"
$fournines lab up "$cloud"
step "apply: make them a control plane"
$fournines apply "$cloud" --yes
step "prove: $faults"
status=0
$fournines prove "$cloud" --faults "$faults" || status=$?

cat >&2 << EOF

Next:
  sudo $fournines serve $cloud     # the dashboard: https://127.0.0.1:8440/
  sudo $fournines status $cloud --watch
  sudo $fournines prove $cloud --faults network.isolate@writer --baseline kolla-22.2
  sudo $fournines lab power off ctl1
  sudo $fournines lab down $cloud
EOF
exit $status
