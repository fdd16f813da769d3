#!/usr/bin/env bash
# A deploy at the real AWS, for whoever has an account: "./dev aws-e2e" calls it with the program. Makes everything under one name
# and removes it again, also after a failure.
set -euo pipefail
slipway=$(readlink -f "$1")
shift
name=slipway-e2e-$(date +%s)
work=$(mktemp -d)
failed=0

say() { printf '\n== %s\n' "$*"; }
cleanup() {
	say "removing what was made"
	"$slipway" destroy --yes --images --name "$name" || failed=1
	rm -rf "$work"
	[ "$failed" -eq 0 ] || echo "FAILED: see above; 'slipway destroy --name $name' again removes what is left" >&2
	exit "$failed"
}

# expect CODE COMMAND...
expect() {
	local want=$1 code=0
	shift
	say "$*"
	"$@" || code=$?
	[ "$code" -eq "$want" ] || { echo "exit code $code, not $want" >&2; failed=1; }
}

cat >"$work/Dockerfile" <<'DOCKERFILE'
FROM public.ecr.aws/docker/library/busybox:stable
COPY index.html /www/
EXPOSE 3000
CMD ["httpd", "-f", "-p", "3000", "-h", "/www"]
DOCKERFILE
echo one >"$work/index.html"

echo "This makes a repository, a log group, a role, a security group and a service named $name (and, if it"
echo "is missing, the cluster \"default\") in the account that is configured here, and removes them again."
if [ -t 0 ]; then
	read -rp "Go on? [y/N] " answer
	[ "$answer" = y ] || exit 0
elif [ "${1:-}" != --yes ]; then
	echo "without a terminal: ./dev aws-e2e --yes" >&2
	exit 2
fi
trap cleanup EXIT

deploy=("$slipway" deploy --name "$name" "$work")
expect 0 "${deploy[@]}" --dry-run
expect 0 "${deploy[@]}" --task --wait --command '["echo", "done"]'
expect 7 "${deploy[@]}" --task --wait --command '["sh", "-c", "exit 7"]'
expect 0 "${deploy[@]}" --service "$name"
expect 0 "$slipway" ps "$name"
echo two >"$work/index.html"
expect 0 "${deploy[@]}"
expect 3 "${deploy[@]}" --command '["sh", "-c", "echo the reason; exit 1"]'
expect 0 "$slipway" scale "$name" 2
expect 0 "$slipway" logs --tail 5 "$name"
