#!/usr/bin/env bash
# deps.sh ARCHITECTURE (amd64, arm64): prints the folder with the static libraries that ./dev dist links, made once and
# kept in the cache of tests. Debian's own archives are taken where they link without anything else; the others are
# compiled from its source packages (sources.tsv) without what slipway does not use. Nothing is installed.
# Exit code 77: the mirror does not have what sources.tsv names.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
arch=$1
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1700000000

case $arch in
amd64) triplet=x86_64-linux-gnu openssl_target=linux-x86_64 ;;
arm64) triplet=aarch64-linux-gnu openssl_target=linux-aarch64 ;;
*) echo "deps.sh: there is no table for $arch" >&2; exit 2 ;;
esac
libraries=(zlib1g-dev libzstd-dev libjansson-dev libseccomp-dev libcrypt-dev liblzma-dev libbz2-dev)

cache=${SLIPWAY_TEST_CACHE:-$here/../.dev/cache}
mkdir -p "$cache"
cache=$(readlink -f "$cache")
key=$({ cat "$here/deps.sh" "$here/sources.tsv" "$here"/patches/*; "$triplet-gcc" --version; } | sha256sum | cut -c1-16)
root=$cache/dist-$arch
say() { printf '== %s\n' "$*" >&2; }

exec 9>"$root.lock"
flock 9
if [ "$(cat "$root/.key" 2>/dev/null)" = "$key" ]; then
	echo "$root"
	exit 0
fi
work=$(mktemp -d "$cache/.new-XXXXXX")
trap 'rm -rf "$work"' EXIT
# Others may not enter a folder of mktemp, apt's own user among them.
chmod 755 "$work"
rm -rf "$root"
mkdir -p "$work/src" "$root/debs" "$root/licenses"

# ---- packages ----------------------------------------------------------------

# apt with lists of its own, for sources and for an architecture that this machine does not run.
own_apt() {
	local command=$1
	shift
	"$command" -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists" \
		-o Dir::State::status="$work/status" -o Dir::Cache="$work/apt" -o APT::Architecture="$arch" -o APT::Architectures::="$arch" \
		-o APT::Sandbox::User=root "$@"
}

# The mirror is the machine's own.
lists() {
	mkdir -p "$work/lists/partial" "$work/apt/archives/partial"
	: >"$work/status"
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		sed -n 's/^Debian \(.*\)/\1/p' | sort -u |
		while read -r uri release component; do
			echo "deb $uri $release $component"
			echo "deb-src $uri $release $component"
		done >"$work/sources.list"
	own_apt apt-get update
}

# source NAME: unpacks into src/NAME what sources.tsv says, and nothing else: with Debian's patches, or without where the table
# has the tar of the authors alone.
source_of() {
	local name=$1 version all=--download-only
	version=$(sed -n "s/^$name\t\([^\t]*\)\t.*/\1/p" "$here/sources.tsv" | head -n 1)
	grep -qP "^$name\t.*\.dsc\t" "$here/sources.tsv" || all=--tar-only
	mkdir "$work/src/dl-$name" "$work/src/$name"
	(
		cd "$work/src/dl-$name"
		own_apt apt-get source --download-only "$all" "$name=$version" >&2 || {
			echo "deps.sh: the mirror has no source package $name $version any more: put the newer version and its sums into packaging/sources.tsv" >&2
			exit 77
		}
		sed -n "s/^$name\t[^\t]*\t\([^\t]*\)\t\(.*\)/\2  \1/p" "$here/sources.tsv" | sha256sum -c --strict --quiet >&2
		if [ "$all" = --tar-only ]; then
			tar -xf "${name}_"*.orig.tar.* -C "$work/src/$name" --strip-components=1
		else
			rmdir "$work/src/$name"
			dpkg-source --no-check -x "${name}_"*.dsc "$work/src/$name" >/dev/null 2>&1
		fi
	)
	[ ! -f "$here/patches/$name.patch" ] || patch -d "$work/src/$name" -p1 --no-backup-if-mismatch <"$here/patches/$name.patch" >&2
	cp "$work/src/$name/debian/copyright" "$root/licenses/$name.txt" 2>/dev/null ||
		cp "$work/src/$name/LICENSE.txt" "$root/licenses/$name.txt"
	printf '%s %s (compiled)\n' "$name" "$version" >>"$root/versions"
}

# The licence of some libraries is in another package, which their folder of documents links to.
license_of() {
	local name=$1 doc=$work/tree/usr/share/doc/$1
	if [ -L "$doc" ]; then
		(cd "$root/debs" && own_apt apt-get download "$(readlink "$doc")")
		dpkg-deb -x "$root/debs/$(readlink "$doc")"_*.deb "$work/tree"
	fi
	cp "$doc/copyright" "$root/licenses/$name.txt"
}

debian_libraries() {
	local deb name
	(cd "$root/debs" && own_apt apt-get download "${libraries[@]}")
	for deb in "$root"/debs/*.deb; do
		name=$(dpkg-deb -f "$deb" Package)
		dpkg-deb -x "$deb" "$work/tree"
		printf '%s %s (Debian)\n' "$name" "$(dpkg-deb -f "$deb" Version)" >>"$root/versions"
	done
	for name in "${libraries[@]}"; do
		license_of "$name"
	done
	mkdir -p "$root/usr/lib/pkgconfig" "$root/usr/include"
	cp -r "$work/tree/usr/include/." "$root/usr/include/"
	# Headers of one architecture stand apart at Debian, for several to be installed side by side.
	[ ! -d "$root/usr/include/$triplet" ] || cp -r "$root/usr/include/$triplet/." "$root/usr/include/"
	find "$work/tree" -name '*.a' -exec cp {} "$root/usr/lib/" \;
	find "$work/tree" -name '*.pc' -exec cp {} "$root/usr/lib/pkgconfig/" \;
	# For the image: the certificates of the package, and none that this machine's owner added.
	(cd "$root/debs" && own_apt apt-get download ca-certificates)
	dpkg-deb -x "$root"/debs/ca-certificates_*.deb "$work/tree"
	cat "$work"/tree/usr/share/ca-certificates/mozilla/*.crt >"$root/ca-certificates.crt"
	cp "$work/tree/usr/share/doc/ca-certificates/copyright" "$root/licenses/ca-certificates.txt"
	printf 'ca-certificates %s (Debian)\n' "$(dpkg-deb -f "$root"/debs/ca-certificates_*.deb Version)" >>"$root/versions"
	rm -rf "$root/debs"
}

# own_folders FILE.pc...: what was made for /usr is here instead.
own_folders() {
	sed -i -e "s,^prefix=.*,prefix=$root/usr," -e "s,^libdir=.*,libdir=$root/usr/lib," \
		-e "s,^includedir=.*,includedir=$root/usr/include," "$@"
}

# ---- what is compiled --------------------------------------------------------

flags="-O2 -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables"

# autotools NAME OPTION...: the tools that make configure scripts are never run, whatever the times of patched files say.
autotools() {
	local name=$1
	shift
	say "compiling $name for $arch"
	(
		cd "$work/src/$name"
		./configure --host="$triplet" --prefix="$root/usr" --disable-shared --enable-static --disable-dependency-tracking \
			CC="$triplet-gcc" CFLAGS="$flags" CPPFLAGS="-I$root/usr/include" LDFLAGS="-L$root/usr/lib" \
			PKG_CONFIG_LIBDIR="$root/usr/lib/pkgconfig" "$@"
		make -j2 AUTOCONF=: AUTOMAKE=: ACLOCAL=: AUTOHEADER=: V=1
		make AUTOCONF=: AUTOMAKE=: ACLOCAL=: AUTOHEADER=: install
	) >"$work/$name.log" 2>&1 || failed "$name"
}

failed() {
	tail -n 40 "$work/$1.log" >&2
	echo "deps.sh: $1 could not be compiled for $arch" >&2
	exit 1
}

isal() {
	local name=libisal assembler=nasm cpu=x86_64 kind=
	say "compiling $name for $arch"
	[ "$arch" = amd64 ] || { assembler="$triplet-gcc -D__ASSEMBLY__"; cpu=aarch64 kind=aarch64; }
	(
		cd "$work/src/$name"
		make -j2 -f Makefile.unx units="crc igzip" lib_name=libisal.a CC="$triplet-gcc" AR="$triplet-ar" AS="$assembler" \
			host_cpu="$cpu" arch="$kind" DEBUG= CFLAGS_="$flags" CFLAGS_aarch64="$flags" lib
		install -D -m 644 -t "$root/usr/include/isa-l" include/crc.h include/igzip_lib.h include/crc64.h
		install -m 644 libisal.a "$root/usr/lib/libisal.a"
	) >"$work/$name.log" 2>&1 || failed "$name"
	printf 'Name: libisal\nDescription: ISA-L\nVersion: 2.30.0\nLibs: -L%s -lisal\nCflags: -I%s\n' \
		"$root/usr/lib" "$root/usr/include" >"$root/usr/lib/pkgconfig/libisal.pc"
}

# Without what loads modules, and without algorithms that no server of these days wants.
openssl() {
	say "compiling openssl for $arch"
	(
		cd "$work/src/openssl"
		CC="$triplet-gcc" AR="$triplet-ar" RANLIB="$triplet-ranlib" ./Configure "$openssl_target" --prefix=/usr --libdir=lib \
			--openssldir=/etc/ssl no-shared no-dso no-module no-engine no-legacy no-tests no-comp no-srp no-psk no-srtp no-dtls \
			no-ssl3 no-tls1 no-tls1_1 no-idea no-seed no-camellia no-aria no-bf no-cast no-rc2 no-rc4 no-md4 no-mdc2 no-whirlpool no-rmd160 \
			no-sm2 no-sm3 no-sm4 no-gost no-cms no-ts no-cmp no-rfc3779 no-ec2m no-async no-autoload-config no-nextprotoneg $flags
		make -j2 build_libs
		# Its folders are part of its bytes: not this machine's.
		make install_dev DESTDIR="$work/openssl"
		cp -r "$work/openssl/usr/include/." "$root/usr/include/"
		cp "$work"/openssl/usr/lib/*.a "$root/usr/lib/"
		cp "$work"/openssl/usr/lib/pkgconfig/*.pc "$root/usr/lib/pkgconfig/"
		own_folders "$root"/usr/lib/pkgconfig/{libssl,libcrypto,openssl}.pc
	) >"$work/openssl.log" 2>&1 || failed openssl
}

lists
say "taking static libraries of Debian for $arch"
debian_libraries
own_folders "$root"/usr/lib/pkgconfig/*.pc
for name in $(grep -v '^#' "$here/sources.tsv" | cut -f1 | sort -u); do
	source_of "$name"
done
openssl
autotools c-ares --disable-tests
isal
autotools libarchive --disable-acl --disable-xattr --disable-bsdtar --disable-bsdcat --disable-bsdcpio --without-xml2 --without-expat \
	--without-nettle --without-openssl --without-lz4 --without-lzo2 --without-cng --without-mbedtls --without-libb2
# Debian's patch of the file asks for a module that no system has: iconv is in the C library.
sed -i 's/^Requires.private: iconv$//' "$root/usr/lib/pkgconfig/libarchive.pc"
autotools libmicrohttpd --disable-https --disable-doc --disable-examples --disable-curl --disable-tools
autotools curl --with-openssl="$root/usr" --enable-ares="$root/usr" --without-ca-bundle --without-ca-path \
	--disable-openssl-auto-load-config --disable-manual --disable-ftp --disable-file --disable-ldap --disable-ldaps \
	--disable-rtsp --disable-dict --disable-telnet --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp \
	--disable-gopher --disable-mqtt --disable-netrc --disable-ntlm-wb --without-brotli --without-zstd --without-libpsl --without-libssh2 --without-librtmp \
	--without-nghttp2 --without-libidn2 --without-zlib
# What unwinds a stack for exceptions is of no use in C, and a tenth of the program.
for archive in "$root"/usr/lib/*.a; do
	"$triplet-objcopy" -R .eh_frame -R .rela.eh_frame "$archive"
done
rm -rf "$root/usr/share" "$root/usr/bin" "$root"/usr/lib/*.la
sort -o "$root/versions" "$root/versions"
echo "$key" >"$root/.key"
echo "$root"
