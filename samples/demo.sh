#!/usr/bin/env bash
# The main job, from a Dockerfile to a page that answers, with each command as one would type it. Called by
# "./dev demo", which compiles slipway first. Everything it makes is in .dev/demo; a build that was made before
# is taken from there.
set -euo pipefail
top=$(dirname "$(dirname "$(readlink -f "$0")")")
work=$top/.dev/demo
base=python:3.12-slim
cd "$top"
mkdir -p "$work"
# Files of an extracted image belong to mapped users when slipway runs without root.
remove() { rm -rf "$@" 2>/dev/null || unshare --map-auto --map-root-user rm -rf "$@" || true; }
remove "$work/registry" "$work/elsewhere" "$work/docker"
mkdir "$work/registry" "$work/docker"

bold=$'\e[1m' plain=$'\e[0m'
if [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ]; then bold='' plain=''; fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; }
ask() { curl --noproxy '*' -fsS -m 5 "$@"; }

registry_pid='' app_pid=''
cleanup() {
	[ -z "$app_pid" ] || kill "$app_pid" 2>/dev/null || true
	[ -z "$registry_pid" ] || kill "$registry_pid" 2>/dev/null || true
	wait
	remove "$work/elsewhere" "$work/registry"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- what a user has already: slipway in PATH, a registry, its CA ---------------

export PATH=$top/build:$PATH DOCKER_CONFIG=$work/docker SLIPWAY_ROOT=$work/store
PYTHONPATH=tests/e2e python3 -B -m helpers.registry "$work/registry" &
registry_pid=$!
system_bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
while [ ! -e "$work/registry/ready" ]; do
	kill -0 "$registry_pid" 2>/dev/null || { echo "the registry did not start" >&2; exit 1; }
	sleep 0.05
done
{ read -r host; read -r user; read -r password; } <"$work/registry/ready"
cat "$system_bundle" "$work/registry/certs/ca.crt" >"$work/ca-bundle.crt" 2>/dev/null ||
	cp "$work/registry/certs/ca.crt" "$work/ca-bundle.crt"
export SSL_CERT_FILE=$work/ca-bundle.crt
image=$host/python-app:demo

say "a registry of this machine at $host: TLS, user $user"
show "slipway login -u $user --password-stdin $host"
printf %s "$password" | slipway login -u "$user" --password-stdin "$host"

# ---- build -------------------------------------------------------------------

# answers URL: some HTTP answer within seconds; 401 is one.
answers() { curl -sS -m 4 -o /dev/null "$1" 2>/dev/null; }

context=()
if answers https://registry-1.docker.io/v2/ && answers https://pypi.org/simple/flask/ && {
	show "slipway pull $base"
	timeout 150 slipway pull "$base"
}; then
	say "the base image $base is the public one"
else
	say "no public registry answers: Debian's Python takes the place of $base"
	layout=$(tests/fixtures/make_base_images.sh python-slim)
	layout=${layout#"$top/"}
	context=(--build-context "$base=oci-layout:$layout")
fi

say "build samples/python-app"
show "slipway build ${context[*]:+${context[*]} }-t $image samples/python-app"
slipway build "${context[@]}" -t "$image" samples/python-app

# ---- push, pull, run -----------------------------------------------------------

say "push it"
show "slipway push $image"
slipway push "$image"

say "pull it elsewhere: an empty store"
export SLIPWAY_ROOT=$work/elsewhere
show "export SLIPWAY_ROOT=.dev/demo/elsewhere"
show "slipway pull $image"
slipway pull "$image"

port=$(python3 -c '
import socket
for wanted in (8080, 0):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("0.0.0.0", wanted))
            print(s.getsockname()[1])
            break
        except OSError:
            pass')
say "run it"
show "slipway run -p $port:3000 $image"
slipway run -p "$port:3000" "$image" >"$work/app.log" 2>&1 &
app_pid=$!
tries=0
until ask -o /dev/null "http://127.0.0.1:$port/health" 2>/dev/null; do
	if ! kill -0 "$app_pid" 2>/dev/null || [ $((tries += 1)) -gt 300 ]; then
		cat "$work/app.log" >&2
		echo "the app did not answer on port $port" >&2
		exit 1
	fi
	sleep 0.1
done
for page in / /greet/you; do
	show "curl http://127.0.0.1:$port$page"
	ask "http://127.0.0.1:$port$page"
done

kill "$app_pid"
wait "$app_pid" || true
app_pid=''
say "done: built, pushed, pulled, run. Next: ./dev test"
