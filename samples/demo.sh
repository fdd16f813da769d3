#!/usr/bin/env bash
# The whole story on this machine, with each command as one would type it: from a Dockerfile to a service that heals, scales and
# rolls back. Called by "./dev demo", which compiles slipway first. Everything it makes is in .dev/demo; a build that was made before is
# taken from there.
set -euo pipefail
top=$(dirname "$(dirname "$(readlink -f "$0")")")
work=$top/.dev/demo
base=python:3.12-slim
cd "$top"
mkdir -p "$work/docker"

bold=$'\e[1m' plain=$'\e[0m'
if [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ]; then bold='' plain=''; fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() {
	printf '%s$ %s%s\n' "$bold" "$*" "$plain"
	"$@"
}
curl() { command curl --noproxy '*' -fsS -m 5 "$@"; }

export PATH=$top/build:$PATH DOCKER_CONFIG=$work/docker SLIPWAY_ROOT=$work/store
cleanup() { slipway local reset --force >/dev/null 2>&1 || true; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cleanup

# ---- the base image --------------------------------------------------------------

# answers URL: some HTTP answer within seconds; 401 is one.
answers() { command curl -sS -m 4 -o /dev/null "$1" 2>/dev/null; }

context=()
if answers https://registry-1.docker.io/v2/ && answers https://pypi.org/simple/flask/ &&
	run timeout 150 slipway pull "$base"; then
	say "the base image $base is the public one"
else
	say "no public registry answers: Debian's Python takes the place of $base"
	layout=$(tests/fixtures/make_base_images.sh python-slim)
	context=(--build-context "$base=oci-layout:${layout#"$top/"}")
fi

# ---- deploy ------------------------------------------------------------------------

say "ECR and ECS on this machine: no account, no Docker, no root"
run slipway local start --port 0

say "one command: build, push, register, run two tasks, wait"
run slipway deploy --local --service web --desired-count 2 "${context[@]}" samples/python-app |
	tee "$work/deployed"
url=$(sed -n 's/^address *//p' "$work/deployed" | head -n 1)
[ -n "$url" ] || { echo "no address was told" >&2; exit 1; }

say "the service's address balances over its tasks"
for page in / / /greet/you; do run curl "$url$page"; done
run slipway ps --local
run slipway logs --local --tail 5 web

# ---- what a container on one host lacks -----------------------------------------------

running() { slipway ps --local --json | python3 -c 'import json, sys; print(sum(t["status"] == "RUNNING" for t in json.load(sys.stdin)))'; }
# settle N: until as many tasks run
settle() {
	local tries=0
	until [ "$(running)" = "$1" ]; do
		[ $((tries += 1)) -le 300 ] || { slipway ps --local --all; echo "there are not $1 tasks" >&2; exit 1; }
		sleep 0.1
	done
}

say "a task dies: ECS starts another, and the address does not change"
run slipway stop --local --reason "shown in the demo" "$(slipway ps --local -q | head -n 1)"
settle 2
run curl "$url/"

say "more of it"
run slipway scale --local web 3
run slipway ps --local

say "an update whose tasks die is rolled back; the service answers all the while"
code=0
run slipway deploy --local --service web --command '["python", "-c", "raise SystemExit(\"no such setting\")"]' "${context[@]}" samples/python-app || code=$?
[ "$code" = 3 ] || { echo "the broken deploy ended with $code, not 3" >&2; exit 1; }
run curl "$url/"

say "all of it gone again"
run slipway destroy --local --yes python-app
run slipway local stop
say "done: built, pushed, deployed, healed, scaled, rolled back. Next: ./dev test"
