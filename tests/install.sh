#!/bin/sh
# SPDX-License-Identifier: MIT
# `make install` into an empty tree: a program finds the library by pkg-config, shared and static; the
# host's libbpf is not involved; and `make uninstall` leaves no file. BUILD, MAKE and CC are those of the
# Makefile.
set -eu

tree=$(realpath "$BUILD")/installed
rm -rf "$tree"
where="DESTDIR=$tree prefix=/usr libdir=/usr/lib/somewhere"
$MAKE install $where >/dev/null
for file in LICENSE CHANGELOG.md library.md examples/stickyctl.rules.yml; do
	test -s "$tree/usr/share/doc/stickyctl/$file"
done

# The guide of the library names files that are beside it, and no others.
guide=$tree/usr/share/doc/stickyctl/library.md
links=$(grep -o '](.[^)]*)' "$guide" | sed 's/](\(.*\))/\1/')
if [ "$(echo "$links" | grep -c '^examples/')" -lt 4 ]; then
	echo "the links of library.md are: $links" >&2
	exit 1
fi
for file in $links; do
	if [ ! -s "$tree/usr/share/doc/stickyctl/$file" ]; then
		echo "library.md names $file, which is not installed" >&2
		exit 1
	fi
done

export PKG_CONFIG_PATH="$tree/usr/lib/somewhere/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$tree"
version=$(pkg-config --modversion libsticky)
said=$("$tree/usr/bin/stickyctl" version | sed -n '1s/^stickyctl \([0-9.]*\).*/\1/p')
if [ -z "$version" ] || [ "$version" != "$said" ]; then
	echo "pkg-config says that the version is '$version', stickyctl says '$said'" >&2
	exit 1
fi
pkg-config --exists 'libsticky >= 0.1'

# Each function and each type has its manual page.
for name in $(sed -n 's/^symbol \(sticky_[a-z_]*\)@.*/\1/p; s/^\(struct\|enum\) \(sticky_[a-z_]*\) {.*/\2/p' \
	src/lib/libsticky.abi); do
	if ! grep -q "$name" "$tree/usr/share/man/man3/$name.3"; then
		echo "no manual page for $name" >&2
		exit 1
	fi
done

# systemd's units name the program where it is installed.
for unit in system user; do
	if ! grep -q '^ExecStart=/usr/bin/stickyctl start ' "$tree/usr/lib/systemd/$unit/sticky@.service" ||
		grep -q '@[A-Z]*@' "$tree/usr/lib/systemd/$unit/sticky@.service"
	then
		echo "the unit of systemd, $unit, does not name /usr/bin/stickyctl" >&2
		exit 1
	fi
done

# Each command has its page, and man(1) reads each of them without a warning.
for name in $("$tree/usr/bin/stickyctl" help | sed -n 's/^  stickyctl \([a-z]*\) .*/stickyctl-\1.1/p') \
	stickyctl.1 sticky.yaml.5 sticky.7; do
	page="$tree/usr/share/man/man${name##*.}/$name"
	if [ ! -s "$page" ]; then
		echo "no manual page $name" >&2
		exit 1
	fi
	if command -v man >/dev/null && [ -n "$(man --warnings -l "$page" 2>&1 >/dev/null)" ]; then
		echo "man warns of $name:" >&2
		man --warnings -l "$page" 2>&1 >/dev/null | head >&2
		exit 1
	fi
done

# Neither library wants the libbpf of the machine, or shows that it contains one.
library="$tree/usr/lib/somewhere/libsticky.so.0"
if readelf -d "$library" | grep -q 'NEEDED.*libbpf' ||
	pkg-config --print-requires-private libsticky | grep -q libbpf ||
	nm -D --defined-only "$library" | grep -qv ' sticky_\| A LIBSTICKY_' ||
	nm -g --defined-only "$tree/usr/lib/somewhere/libsticky.a" | grep ' [A-Z] ' | grep -qv ' sticky_'
then
	echo 'the libraries show more than sticky_*, or want libbpf' >&2
	exit 1
fi
soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
if [ "$(readlink "$tree/usr/lib/somewhere/libsticky.so")" != "$soname" ]; then
	echo "libsticky.so does not lead to the soname $soname" >&2
	exit 1
fi

$CC tests/consumer.c $(pkg-config --cflags --libs libsticky) -o "$tree/shared"
LD_LIBRARY_PATH="$tree/usr/lib/somewhere" "$tree/shared"
# The libraries of the machine itself are not below the tree.
unset PKG_CONFIG_SYSROOT_DIR
$CC tests/consumer.c -I"$tree/usr/include" "$tree/usr/lib/somewhere/libsticky.a" \
	$(pkg-config --static --libs-only-l libsticky | sed 's/-lsticky//') -o "$tree/static"
"$tree/static"
rm "$tree/shared" "$tree/static"

# An installed example is built by the makefile beside it.
export PKG_CONFIG_SYSROOT_DIR="$tree"
for example in threads prefork; do
	cp -r "$tree/usr/share/doc/stickyctl/examples/$example" "$tree/$example"
	$MAKE -C "$tree/$example" CC="$CC" >/dev/null
	test -x "$tree/$example/server"
	rm -r "${tree:?}/$example"
done
unset PKG_CONFIG_SYSROOT_DIR

# Only root may give a file capabilities, and not on every file system.
if [ "$(id -u)" = 0 ] && command -v getcap >/dev/null && $MAKE install SETCAP=1 $where >/dev/null 2>&1; then
	case $(getcap "$tree/usr/bin/stickyctl") in
	*cap_bpf*) ;;
	*) echo "make install SETCAP=1 gave no file capabilities" >&2; exit 1 ;;
	esac
fi

# `make uninstall` removes what `make install` put there, and its own directories, and nothing else.
mkdir "$tree/usr/share/sticky/theirs"
$MAKE uninstall $where >/dev/null
left=$(find "$tree" ! -type d)
if [ -n "$left" ]; then
	echo "make uninstall left: $left" >&2
	exit 1
fi
test -d "$tree/usr/share/sticky/theirs"
test ! -e "$tree/usr/share/doc/stickyctl"
rm -rf "$tree"

# Each directory by a name of its own, and by the names that the Makefile had before those of GNU.
expect_in_their_own() {
	$MAKE install "DESTDIR=$tree" "$@" >/dev/null
	for file in bin/stickyctl lib/libsticky.so.0 include/sticky.h share/sticky/sticky.schema.json \
		man/man3/sticky.3 doc/LICENSE; do
		if [ ! -s "$tree/own/$file" ]; then
			echo "make install $* did not write /own/$file" >&2
			exit 1
		fi
	done
	grep -q '^libdir=/own/lib$' "$tree/own/lib/pkgconfig/libsticky.pc"
	grep -q '^includedir=/own/include$' "$tree/own/lib/pkgconfig/libsticky.pc"
	$MAKE uninstall "DESTDIR=$tree" "$@" >/dev/null
	left=$(find "$tree" ! -type d)
	if [ -n "$left" ]; then
		echo "make uninstall $* left: $left" >&2
		exit 1
	fi
	rm -rf "$tree"
}
expect_in_their_own prefix=/usr bindir=/own/bin libdir=/own/lib includedir=/own/include datadir=/own/share \
	mandir=/own/man docdir=/own/doc
expect_in_their_own PREFIX=/own LIBDIR=/own/lib MANDIR=/own/man SHAREDIR=/own/share DOCDIR=/own/doc

# Debian's packages know since which version each node of src/lib/libsticky.map is there.
for node in $(sed -n 's/^\(LIBSTICKY_[0-9.]*\) {$/\1/p' src/lib/libsticky.map); do
	if ! grep -q "^ (symver)$node " packaging/debian/libsticky0.symbols; then
		echo "packaging/debian/libsticky0.symbols has no line for $node" >&2
		exit 1
	fi
done
