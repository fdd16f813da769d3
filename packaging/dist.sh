#!/usr/bin/env bash
# dist.sh ARCHITECTURE...: the release in build/dist: a static program for each, with its sum, a Debian package, the licences of
# what is linked, and an OCI image made by that program. The same commit with the same libraries gives the same bytes.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(dirname "$here")
out=${SLIPWAY_DIST:-$top/build/dist}
export LC_ALL=C.UTF-8 TZ=UTC
say() { printf '== %s\n' "$*"; }

version=$(sed -n 's/^project(slipway VERSION \([0-9.]*\).*/\1/p' "$top/CMakeLists.txt")
SOURCE_DATE_EPOCH=$(git -c safe.directory="$top" -C "$top" log -1 --format=%ct 2>/dev/null || stat -c %Y "$top/CHANGELOG.md")
export SOURCE_DATE_EPOCH

machine_of() {
	case $1 in
	amd64) echo x86_64 ;;
	arm64) echo aarch64 ;;
	*) echo "dist.sh: the architectures are amd64 and arm64, not $1" >&2; exit 2 ;;
	esac
}

# program ARCHITECTURE: slipway-linux-MACHINE and its sum.
program() {
	local arch=$1 machine build
	machine=$(machine_of "$arch")
	build=$out/.build-$arch
	local options=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$machine-linux-gnu-gcc" -DSLIPWAY_TESTS=OFF -DSLIPWAY_STATIC=ON
		-DSLIPWAY_DEPENDENCIES="$dependencies")
	[ "$machine" = "$(uname -m)" ] || options+=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$machine")
	say "compiling slipway for $arch"
	# What it found the libraries as may be of another folder of them.
	rm -f "$build/CMakeCache.txt"
	cmake -S "$top" -B "$build" -G Ninja "${options[@]}" >"$out/.log" 2>&1 && ninja -C "$build" slipway >>"$out/.log" 2>&1 || {
		grep -v '^\[' "$out/.log" >&2
		exit 1
	}
	"$machine-linux-gnu-strip" -o "$out/slipway-linux-$machine" "$build/slipway"
	chmod 755 "$out/slipway-linux-$machine"
	(cd "$out" && sha256sum "slipway-linux-$machine" >"slipway-linux-$machine.sha256")
}

# licenses ARCHITECTURE: what is linked, in which version, and under which terms.
licenses() {
	local arch=$1 file
	{
		printf 'slipway %s for %s is one program with the libraries below in it.\n\n' "$version" "$arch"
		cat "$dependencies/versions"
		printf 'glibc %s (Debian)\n' "$(dpkg-query -W -f '${Version}' "$libc")"
		printf '\nTheir sources are the Debian source packages of these names and versions.\n'
		for file in "$top/LICENSE" "$dependencies"/licenses/*.txt "/usr/share/doc/$libc/copyright"; do
			printf '\n======== %s\n\n' "$(case $file in "$top/LICENSE") echo slipway ;; */doc/*) echo glibc ;; *) basename "$file" .txt ;; esac)"
			cat "$file"
		done
	} >"$out/slipway-linux-$(machine_of "$arch").licenses.txt"
}

# image ARCHITECTURE...: scratch, the program and the certificates; made by the program itself.
image() {
	local arch platforms
	local context=$out/.image
	rm -rf "$context" "$out/.store" "$out/slipway-image.tar"
	mkdir "$context"
	cp "$here/Dockerfile" "$context"
	for arch in "$@"; do
		mkdir "$context/$arch"
		cp "$out/slipway-linux-$(machine_of "$arch")" "$context/$arch/slipway"
		cp "$out/slipway-linux-$(machine_of "$arch").licenses.txt" "$context/$arch/licenses.txt"
	done
	cp "$dependencies/ca-certificates.crt" "$context"
	platforms=$(printf 'linux/%s,' "$@")
	say "building the image with slipway: ${platforms%,}"
	"$out/slipway-linux-$(uname -m)" --root "$out/.store" build -q --platform "${platforms%,}" --build-arg VERSION="$version" \
		-t "slipway:$version" --output "type=oci,dest=$out/slipway-image.tar" "$context"
	rm -rf "$context" "$out/.store"
}

mkdir -p "$out"
for arch in "$@"; do
	machine_of "$arch" >/dev/null
done
for arch in "$@"; do
	dependencies=$("$here/deps.sh" "$arch")
	libc=libc6-dev
	[ "$(machine_of "$arch")" = "$(uname -m)" ] || libc=libc6-dev-$arch-cross
	program "$arch"
	licenses "$arch"
	say "packing the Debian package for $arch"
	"$here/make_deb.sh" "$version" "$arch" "$out/slipway-linux-$(machine_of "$arch")" "$out"
done
if [ -x "$out/slipway-linux-$(uname -m)" ]; then
	image "$@"
fi
rm -f "$out/.log"
(cd "$out" && ls -l slipway* | awk '{print $5, $9}')
