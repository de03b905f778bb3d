# SPDX-License-Identifier: MIT
#
# make help          what there is
# V=1                show the commands
# BUILD=DIR          where everything that is made goes (build)
# DEBUG=1            a worker that is used after its close is reported; BUILD is build/debug by default
# ARGS="..."         more arguments for `make start`
# WERROR=1           a warning is an error, as in `make check`; a user's compiler may know new ones

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

BUILD ?= build$(if $(filter 1,$(DEBUG)),/debug)
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
SAY = @$(if $(filter 1,$(V)),:,printf '  %-8s %s\n' $(1) $(2))
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# ---- What must be installed: the one place that names it (Debian 12 and 13) ---------
BUILD_PACKAGES := gcc make clang llvm bpftool libbpf-dev libc6-dev linux-libc-dev \
	libelf-dev zlib1g-dev binutils libevent-dev libjansson-dev libyaml-dev libcap-ng-dev uthash-dev pkg-config \
	libncurses-dev ncurses-bin
# What boots this machine need not be systemd: the tests start one of their own.
SYSTEMD_PACKAGES := systemd libcap2-bin python3 iproute2
TEST_C_PACKAGES := libcmocka-dev libhttp-parser-dev liburing-dev g++ python3 iproute2
TEST_PACKAGES := $(TEST_C_PACKAGES) curl procps gunicorn haproxy libnginx-mod-stream nginx-light \
	php-cli puma redis-server ruby-rack openssl chromium chromium-driver zsh fish
# Several hosts with balancers: `make test-hosts`. Where they can't be had, their tests are skipped.
HOSTS_PACKAGES := ipvsadm keepalived nftables socat
LINT_PACKAGES := clang-format clang-tidy cppcheck libclang-rt-dev g++
DOCS_PACKAGES := cmark-gfm man-db mandoc python3 scdoc
DISTRO_PACKAGES := git mmdebstrap python3
BENCH_PACKAGES := bpftool iproute2 python3 valgrind
# Not among those of `make test`: it is large.
ALERTS_PACKAGES := prometheus
# To boot other kernels: `make test-kernels`.
KERNELS_PACKAGES := qemu-system-x86 busybox-static mmdebstrap e2fsprogs kmod zstd
# What is in the guest: the libraries come with the -dev packages. Chromium and Ruby are large: their
# tests are skipped there.
GUEST_PACKAGES := $(filter %-dev,$(BUILD_PACKAGES)) $(filter-out chromium% puma ruby-rack,$(TEST_PACKAGES)) \
	$(HOSTS_PACKAGES) bpftool git kmod nodejs valgrind
# What is compared with, and the plots: each that can't be had is named as missing.
BENCH_PEERS := gnuplot-nox gunicorn haproxy nginx-light libnginx-mod-stream

# ---- Compilers --------------------------------------------------------------------
CC := gcc
# Before the names of binutils: aarch64-linux-gnu- for another processor's.
CROSS :=
BPF_CLANG := clang
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla \
	-Wpointer-arith -Wundef
WERROR ?=
WARNINGS += $(if $(filter 1,$(WERROR)),-Werror)
OPTIMIZE ?= -O2 -g
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIC
SANITIZE ?=
# DEBUG=1: see src/lib/worker_debug.c.
CPPFLAGS := -D_GNU_SOURCE $(if $(filter 1,$(DEBUG)),-DSTICKY_DEBUG) -Iinclude -Isrc -I. -I$(BUILD)/bpf -I$(BUILD)/generated
CFLAGS := -std=c11 $(OPTIMIZE) $(if $(SANITIZE),-fPIC $(SANITIZE),$(HARDEN)) $(WARNINGS)
LDFLAGS := $(SANITIZE) -Wl,-z,relro,-z,now
# libbpf is not among them: each library contains a copy of its own, see PRIVATE_BPF.
LIB_LIBS := -lelf -lz -lpthread
CTL_LIBS := -levent_core -levent_extra -ljansson -lyaml -lcap-ng

# Only the program has a screen: `stickyctl top`.
SCREEN_LIBS := -lncursesw -ltinfo

LIB_SOURCES := $(wildcard src/lib/*.c src/engine/*.c src/wire/*.c)
CLI_SOURCES := $(wildcard src/cli/*.c)
CONTROLLER_SOURCES := $(filter-out $(LIB_SOURCES) $(CLI_SOURCES),$(wildcard src/*/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
KERNEL_TESTS := $(patsubst tests/kernel/%.c,$(BUILD)/tests/kernel/%,$(wildcard tests/kernel/test_*.c))
TEST_SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
# Programs that the end-to-end tests and the benchmarks run: one C file each in tests/peers/, and a
# folder each for the worker, the clients and the delay line.
SMALL_PEERS := $(patsubst tests/peers/%.c,$(BUILD)/tests/peers/%,$(wildcard tests/peers/*.c))
TEST_CLIENTS := $(BUILD)/tests/peers/clients
TEST_WORKER := $(BUILD)/tests/peers/worker
TEST_DELAY := $(BUILD)/tests/peers/delay
TEST_PEERS := $(SMALL_PEERS) $(TEST_CLIENTS) $(TEST_WORKER) $(TEST_DELAY)
# Benchmarks: one program for each file in bench/, what they share is in bench/lib/.
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))
BENCH_LIB := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/lib/*.c))

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
# Only src/engine/bpf_*.c call libbpf. They are linked with a copy of it whose symbols nothing else sees:
# a host may use another version of libbpf, and keeps its own print callback. Debian's libbpf.a is
# built for programs: it refers to stderr as no shared library can, and as nothing here prints, it gets
# a variable of bpf_program.c instead.
BPF_OBJECTS := $(call objects,$(wildcard src/engine/bpf_*.c))
PRIVATE_BPF := $(BUILD)/private_bpf.o
LIB_OBJECTS := $(filter-out $(BPF_OBJECTS),$(call objects,$(LIB_SOURCES))) $(PRIVATE_BPF)
CONTROLLER_OBJECTS := $(call objects,$(CONTROLLER_SOURCES))
CLI_OBJECTS := $(call objects,$(CLI_SOURCES))

STICKYCTL := $(BUILD)/stickyctl
LIBSTICKY := $(BUILD)/libsticky.a
# What is installed: one object, in which only sticky_* is global. build/libsticky.a is for the tests,
# which also call what is private.
LIBSTICKY_INSTALLED := $(BUILD)/static/libsticky.a
LIBSTICKY_SO := $(BUILD)/libsticky.so.0
CONTROLLER := $(BUILD)/libcontroller.a

.PHONY: all help
all: $(STICKYCTL) $(LIBSTICKY) $(LIBSTICKY_SO) $(LIBSTICKY_INSTALLED)

help:
	@echo 'make               build build/stickyctl, build/libsticky.a and build/libsticky.so.0'
	@echo 'make start         install what is missing, build, run the demo on :8080 (ARGS="-w 4")'
	@echo 'make test          unit, kernel and end-to-end tests'
	@echo 'make test-unit     the pure parts; no privilege needed'
	@echo 'make test-kernel   the library on real sockets, in a network namespace of its own'
	@echo 'make test-e2e      stickyctl as its users run it'
	@echo 'make test-alerts   each alert of packaging/prometheus fires for real, in Prometheus'
	@echo 'make test-node-matrix  those of Node.js applications by Node.js $(NODE_VERSIONS)'
	@echo '                   (NODE_VERSIONS="20 24" ONLY="e2e/test_node_stop heavy")'
	@echo 'make test-hosts    several hosts behind HAProxy, nginx, IPVS, with Redis; some minutes (ONLY=...)'
	@echo 'make test-ipvs     of these, IPVS, on another kernel, in qemu (KERNELS=newest)'
	@echo 'make test-distros  build, demo and tests on Debian $(DISTROS), each in a clean tree of files'
	@echo 'make test-kernels  doctor and all tests on other kernels, in qemu, some hours'
	@echo '                   (KERNELS="6.1-oldest newest dir/bzImage" SUITES="doctor kernel" ONLY=...)'
	@echo 'make test-kernels-short  some of them on one old kernel, in some minutes'
	@echo 'make test-systemd  the units, under a systemd of their own (ONLY="Crash User.test_start")'
	@echo 'make soak          lifecycle and hand-overs under stress, some minutes (TIMES=60: seconds for'
	@echo '                   each case of the clients at a distance), and make soak-threads'
	@echo 'make soak-threads  the example of threads under load: plain, with ASan and with TSan (TIMES=60)'
	@echo 'make soak-storm    a storm of everything at random, with ASan and with TSan (TIMES=600, SEED)'
	@echo 'make fuzz          what comes from outside, FUZZ_TIME each (60)'
	@echo 'make asan          all tests under AddressSanitizer, UBSan and LeakSanitizer'
	@echo 'make tsan          what has threads under ThreadSanitizer, about 5 minutes'
	@echo 'make check         formatting, lint, both compilers, the public header, make bench-guard, asan,'
	@echo '                   tsan'
	@echo 'make format        reformat; make format-check only looks'
	@echo 'make lint          clang-tidy and cppcheck'
	@echo 'make layers        each folder of src/ includes only what src/LAYERS allows it'
	@echo 'make docs          the files and links that README.md and docs/ name are there; the manual pages'
	@echo '                   are those of sticky.h and of the tables of options and commands'
	@echo 'make man           writes the manual pages, docs/man, anew'
	@echo 'make html          README.md, docs/ and the manual as pages in $(BUILD)/html, with all links checked'
	@echo 'make check-examples  the files of examples/hosts, by haproxy -c, nginx -t, schemas'
	@echo 'make bench-hosts   broadcasts of socket.io by each adapter; some minutes (ROUNDS=3)'
	@echo 'make schema        writes the schema of the configuration file, docs/sticky.schema.json, anew'
	@echo 'make units         systemd finds nothing wrong in the units of packaging/systemd'
	@echo 'make check-abi     the exported symbols and public structures are those of src/lib/libsticky.abi'
	@echo 'make check-abi-update  writes that file anew'
	@echo 'make bench         everything, beside others, with a report (ONLY="serving hashing": some)'
	@echo 'make bench-quick   the same in under 3 minutes'
	@echo 'make bench-hash    the hashes alone (WORKERS=10 ADDRESSES=100000)'
	@echo 'make bench-kernels  connections/s beside plain SO_REUSEPORT on KERNELS (6.1-oldest), in qemu'
	@echo 'make bench-guard   instructions that hash, look-up and parsers take, beside bench/guard.json'
	@echo 'make bench-guard-update  writes that file anew'
	@echo 'make install       into DESTDIR and prefix (/usr/local); bindir, libdir, mandir, docdir ... are'
	@echo '                   those of GNU; make uninstall'
	@echo '                   (SETCAP=1: with file capabilities, for users other than root)'
	@echo 'make dist          build/stickyctl-VERSION.tar.gz, always the same bits'
	@echo 'make deb           Debian packages in build/deb (DEB_REVISION=1)'
	@echo 'make test-packages installs, upgrades and removes them on Debian $(DISTROS), in clean trees'
	@echo 'make sbom          what is linked in, as SPDX: build/stickyctl-VERSION.spdx.json'
	@echo 'make npm           the package for npm, build/npm/stickyctl-VERSION.tgz'
	@echo 'make test-npm-arm64  its program for arm64 in qemu, half a minute'
	@echo 'make deps          install the build packages; deps-test, -lint, -docs, -hosts, -npm, -bench the others'
	@echo 'make clean'

# ---- Installing what is missing ---------------------------------------------------
# A server that is installed to be tested with is not to be started: policy-rc.d(8), unless the
# machine has a policy of its own.
define no_services
if [ ! -e /usr/sbin/policy-rc.d ]; then \
	printf '#!/bin/sh\nexit 101\n' | $(SUDO) tee /usr/sbin/policy-rc.d >/dev/null; \
	$(SUDO) chmod 755 /usr/sbin/policy-rc.d; \
	trap '$(SUDO) rm -f /usr/sbin/policy-rc.d' EXIT; \
fi;
endef

# $(1): packages. A package that another one provides (g++ of a newer gcc) counts.
define find_missing
missing=; for p in $(1); do \
	dpkg-query -W -f '$${Status}' "$$p" 2>/dev/null | grep -q ' installed$$' || missing="$$missing $$p"; \
done;
endef
INSTALL := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
define install_missing
	@$(call find_missing,$(1)) \
	if [ -n "$$missing" ]; then \
		command -v apt-get >/dev/null || { echo "please install:$$missing" >&2; exit 1; }; \
		echo "installing:$$missing"; \
		$(no_services) \
		$(SUDO) apt-get update -qq && $(INSTALL) $$missing >/dev/null; \
	fi
endef

# The same, one by one, of what can be done without.
define try_to_install
	@$(call find_missing,$(1)) \
	if [ -n "$$missing" ] && command -v apt-get >/dev/null; then \
		$(no_services) \
		for p in $$missing; do \
			echo "installing: $$p"; \
			$(INSTALL) $$p >/dev/null || echo "can't be had: $$p" >&2; \
		done; \
	fi
endef

.PHONY: deps deps-test deps-test-c deps-lint deps-docs deps-hosts deps-alerts deps-bench deps-distros deps-distros-short deps-kernels deps-systemd
deps:
	$(call install_missing,$(BUILD_PACKAGES))
# Any that is there will do, however it was installed.
NODE_PROGRAMS = $(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm)
deps-test: deps
	$(call install_missing,$(TEST_PACKAGES) $(NODE_PROGRAMS))
deps-test-c: deps
	$(call install_missing,$(TEST_C_PACKAGES))
deps-hosts:
	$(call try_to_install,$(HOSTS_PACKAGES))
deps-alerts: deps-test
	$(call install_missing,$(ALERTS_PACKAGES))
deps-lint: deps
	$(call install_missing,$(LINT_PACKAGES))
deps-docs: deps
	$(call install_missing,$(DOCS_PACKAGES))
# Where they can't be had, tests/kernels says so, and skips.
deps-kernels:
	$(call try_to_install,$(KERNELS_PACKAGES))
deps-bench: deps
	$(call install_missing,$(BENCH_PACKAGES) $(NODE_PROGRAMS))
	$(call try_to_install,$(BENCH_PEERS))
deps-systemd: deps
	$(call install_missing,$(SYSTEMD_PACKAGES))
deps-distros:
	$(call install_missing,$(DISTRO_PACKAGES))
deps-distros-short:
	$(call try_to_install,$(DISTRO_PACKAGES))

# ---- The program in the kernel ----------------------------------------------------
BPF_FLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) \
	-I/usr/include/$(shell gcc -print-multiarch 2>/dev/null) -ffile-prefix-map=$(CURDIR)=.

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call SAY,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(BPF_CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@

# Not an intermediate file that make removes: bpftool and the benchmarks look at it.
.PRECIOUS: $(BUILD)/bpf/%.bpf.o
$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call SAY,SKEL,$@)
	$(Q){ echo '// NOLINTBEGIN'; PATH="$$PATH:/usr/sbin:/sbin" bpftool gen skeleton $< name $*_bpf && \
		echo '// NOLINTEND'; } > $@

# The one file that includes the skeleton.
$(BUILD)/src/engine/bpf_program.o: $(BUILD)/bpf/sticky.skel.h

# JavaScript as a C string: src/node/stop.js is a file that editors and linters know. HTML and CSS alike.
as_c_string = sed 's/[\\"]/\\&/g; s/.*/"&\\n"/'
$(BUILD)/generated/%.js.h: src/%.js
	$(call SAY,JS,$<)
	@mkdir -p $(@D)
	$(Q)$(as_c_string) $< > $@
$(BUILD)/generated/%.html.h: src/%.html
	$(call SAY,HTML,$<)
	@mkdir -p $(@D)
	$(Q)$(as_c_string) $< > $@
$(BUILD)/generated/%.css.h: src/%.css
	$(call SAY,CSS,$<)
	@mkdir -p $(@D)
	$(Q)$(as_c_string) $< > $@
$(BUILD)/src/admin/admin_page.o: $(BUILD)/generated/admin/admin_page.html.h \
	$(BUILD)/generated/admin/admin_page.css.h $(BUILD)/generated/admin/admin_page.js.h \
	$(BUILD)/generated/admin/admin_strip.js.h
$(BUILD)/src/node/preload.o: $(BUILD)/generated/node/stop.js.h \
	$(BUILD)/generated/node/preload.js.h

# The scripts of shells, likewise.
SHELLS := bash zsh fish
$(BUILD)/generated/cli/completion.%.h: src/cli/completion.%
	$(call SAY,SHELL,$<)
	@mkdir -p $(@D)
	$(Q)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< > $@
$(BUILD)/src/cli/cmd_completion.o: $(SHELLS:%=$(BUILD)/generated/cli/completion.%.h)

# What xterm understands, for `top` where there is no terminfo. TERMINFO can be set to it.
$(BUILD)/generated/terminal/xterm.terminfo.h:
	$(call SAY,TERM,xterm)
	@mkdir -p $(@D)
	$(Q)infocmp -0 -Q 2 xterm | sed -n 's/^b64:.*/"&"/p' > $@
$(BUILD)/src/terminal/top_terminal.o: $(BUILD)/generated/terminal/xterm.terminfo.h

# ---- Objects, libraries, programs -------------------------------------------------
$(BUILD)/%.o: %.c
	$(call SAY,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# $(1): the objects. A relocatable link, without what a sanitizer would add.
relink = $(CC) -r -nostdlib -o $@.whole $(1)

$(PRIVATE_BPF): $(BPF_OBJECTS)
	$(call SAY,RELINK,$@)
	$(Q)archive=$$($(CC) -print-file-name=libbpf.a) && test -f "$$archive" || \
		{ echo 'libbpf.a is missing: make deps' >&2; exit 1; }; \
	$(CROSS)nm -g --defined-only "$$archive" 2>/dev/null | sed -n 's/^[0-9a-f]* [A-Z] //p' > $@.names && \
	$(call relink,$^ "$$archive") && \
	$(CROSS)objcopy --localize-symbols=$@.names --redefine-sym stderr=bpf_program_no_stream $@.whole $@
	$(Q)rm -f $@.whole

$(LIBSTICKY_INSTALLED): $(LIB_OBJECTS)
	$(call SAY,AR,$@)
	@mkdir -p $(@D)
	$(Q)$(call relink,$^) && \
		$(CROSS)objcopy --wildcard --keep-global-symbol='sticky_*' $@.whole $(@D)/sticky.o && \
		rm -f $@ $@.whole && $(CROSS)ar rcs $@ $(@D)/sticky.o

$(LIBSTICKY): $(LIB_OBJECTS)
$(CONTROLLER): $(CONTROLLER_OBJECTS)
$(BUILD)/lib%.a:
	$(call SAY,AR,$@)
	$(Q)rm -f $@ && $(CROSS)ar rcs $@ $^

$(LIBSTICKY_SO): $(LIB_OBJECTS) src/lib/libsticky.map
	$(call SAY,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,libsticky.so.0 \
		-Wl,--version-script=src/lib/libsticky.map -o $@ $(LIB_OBJECTS) $(LIB_LIBS)
	$(Q)ln -sf libsticky.so.0 $(BUILD)/libsticky.so

$(STICKYCTL): $(CLI_OBJECTS) $(CONTROLLER) $(LIBSTICKY)
	$(call SAY,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(SCREEN_LIBS) $(CTL_LIBS) $(LIB_LIBS)

# ---- Running ----------------------------------------------------------------------
.PHONY: start
start: deps
	@$(MAKE) --no-print-directory all
	$(SUDO) $(STICKYCTL) start $(ARGS)

# ---- Tests ------------------------------------------------------------------------
$(UNIT_TESTS) $(KERNEL_TESTS): $(BUILD)/%: $(BUILD)/%.o $(TEST_SUPPORT) $(CONTROLLER) $(LIBSTICKY)
	$(call SAY,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(TEST_LIBS) $(CTL_LIBS) $(LIB_LIBS)

# A host that uses libbpf itself, of which the library takes no notice.
$(BUILD)/tests/kernel/test_threads: TEST_LIBS := -lbpf
# The library for debugging, for the tests of misuse.
$(BUILD)/debug/libsticky.so.0: $(LIBSTICKY_SO)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/debug DEBUG=1 $@

# What ours is compared with.
$(BUILD)/tests/unit/test_client_ip_differential: TEST_LIBS := -lhttp_parser

$(SMALL_PEERS): $(BUILD)/%: $(BUILD)/%.o $(LIBSTICKY)
	$(call SAY,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

$(TEST_CLIENTS): $(call objects,$(wildcard tests/clients/*.c))
$(TEST_WORKER): $(call objects,$(wildcard tests/worker/*.c))
$(TEST_DELAY): $(call objects,$(wildcard tests/delay/*.c))
$(TEST_CLIENTS) $(TEST_WORKER) $(TEST_DELAY):
	$(call SAY,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lpthread

# Packages from npm, a directory with a lock file each. Where they can't be had, the tests that
# want them are skipped, with what npm said.
NODE_PACKAGES := $(patsubst tests/node/%/package-lock.json,$(BUILD)/tests/node/%/installed,\
	$(wildcard tests/node/*/package-lock.json))
define npm_ci
	$(call SAY,NPM,$(<D))
	@mkdir -p $(@D)
	$(Q)cp $^ $(@D)
	$(Q)cd $(@D) && if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
		>npm.log 2>&1; then touch installed; else rm -rf node_modules; fi
endef
$(BUILD)/tests/node/%/installed: tests/node/%/package.json tests/node/%/package-lock.json
	$(npm_ci)

# The schemas of Kubernetes and of Envoy, for the examples.
HOSTS_NODE := $(patsubst %,$(BUILD)/tests/hosts/%/installed,kubernetes envoy)
$(BUILD)/tests/hosts/%/installed: tests/hosts/%/package.json tests/hosts/%/package-lock.json
	$(npm_ci)

# What make test-node-matrix alone installs.
NODE_HEAVY := $(patsubst tests/node/%/package-lock.json,$(BUILD)/tests/node/%/installed,\
	$(wildcard tests/node/heavy/*/package-lock.json))

.PHONY: test test-unit test-kernel test-e2e programs test-programs node-packages node-heavy
node-heavy: $(NODE_HEAVY)
node-packages: $(NODE_PACKAGES) $(BUILD)/bench/node/installed
# Everything that a compiler makes.
programs: all $(BUILD)/debug/libsticky.so.0 $(UNIT_TESTS) $(KERNEL_TESTS) $(TEST_PEERS) $(BENCHES)
test-programs: programs node-packages npm-for-tests

# REPEAT_FAILED_ONCE: .ci/run sets it, and sudo would not pass it on.
REPEAT = $(if $(REPEAT_FAILED_ONCE),REPEAT_FAILED_ONCE=1)
RUN_TESTS = $(if $(filter test-unit,$@),,$(SUDO)) env BUILD=$(abspath $(BUILD)) $(REPEAT) \
	python3 -B tests/run.py
test: deps-test
	@$(MAKE) --no-print-directory test-programs
	@$(RUN_TESTS) unit kernel e2e
test-unit test-kernel test-e2e: deps-test
	@$(MAKE) --no-print-directory test-programs
	@$(RUN_TESTS) $(patsubst test-%,%,$@)

.PHONY: test-alerts
test-alerts: deps-alerts
	@$(MAKE) --no-print-directory test-programs
	@$(RUN_TESTS) alerts

NODE_VERSIONS ?= 18 20 22 24 26
.PHONY: test-node-matrix
test-node-matrix: deps-test
	@$(MAKE) --no-print-directory test-programs node-heavy
	@BUILD=$(abspath $(BUILD)) SUDO='$(SUDO)' ONLY='$(ONLY)' tests/node/matrix.sh $(NODE_VERSIONS)

# What is tried is the last commit, in trees of files below $(BUILD)/distros: nothing is installed on
# this machine but what makes the trees.
DISTROS ?= 12 13
.PHONY: distro-source test-distros test-distros-short
distro-source:
	@mkdir -p $(BUILD)/distros
	@git archive --output=$(BUILD)/distros/source.tar HEAD
test-distros: deps-distros distro-source
	@$(SUDO) env BUILD=$(abspath $(BUILD)) python3 -B tests/distros/distros.py $(DISTROS)
test-distros-short: deps-distros-short distro-source
	@$(SUDO) env BUILD=$(abspath $(BUILD)) $(REPEAT) python3 -B tests/distros/distros.py --short 13

# Three hosts as network namespaces, and real balancers in front of them; some minutes.
.PHONY: test-hosts
test-hosts: deps-test deps-hosts
	@$(MAKE) --no-print-directory all $(TEST_PEERS) $(HOSTS_NODE) $(BUILD)/tests/node/socketio/installed
	@$(SUDO) env BUILD=$(abspath $(BUILD)) EACH=1 JOBS=1 ONLY='$(ONLY)' python3 -B tests/run.py hosts

# IPVS is missing in many kernels: on one of Debian's, in qemu.
.PHONY: test-ipvs
test-ipvs: SUITES := hosts
test-ipvs: ONLY := hosts/test_ipvs
test-ipvs: deps-test deps-kernels
	@$(MAKE) --no-print-directory all $(TEST_PEERS)
	@$(subst '$(KERNELS)','$(or $(KERNELS),newest)',$(RUN_KERNELS))

# What a broadcast to 1,000 clients of socket.io costs by each adapter.
.PHONY: bench-hosts
bench-hosts: deps-test
	@$(MAKE) --no-print-directory all $(BUILD)/tests/node/socketio/installed
	@$(SUDO) env BUILD=$(abspath $(BUILD)) ROUNDS=$(or $(ROUNDS),3) \
		python3 -B tests/hosts/measure_broadcasts.py

# Other kernels in qemu: KERNELS, SUITES, ONLY choose, see tests/kernels/run.py. LIMIT: seconds for
# each kernel.
RUN_KERNELS = $(SUDO) env BUILD=$(abspath $(BUILD)) $(REPEAT) KERNELS='$(KERNELS)' \
	SUITES='$(SUITES)' ONLY='$(ONLY)' python3 -B tests/kernels/run.py --packages '$(GUEST_PACKAGES)' \
	$(if $(LIMIT),--limit $(LIMIT))
.PHONY: test-kernels test-kernels-short
test-kernels: deps-test deps-kernels
	@$(MAKE) --no-print-directory test-programs
	@$(RUN_KERNELS) --page docs/kernels.md
test-kernels-short: deps-test deps-kernels
	@$(MAKE) --no-print-directory test-programs
	@$(RUN_KERNELS) --short

# Connections per second beside plain SO_REUSEPORT on another kernel; several minutes.
.PHONY: bench-kernels
bench-kernels: SUITES := bench
bench-kernels: deps-bench deps-kernels
	@$(MAKE) --no-print-directory benches $(TEST_CLIENTS)
	@$(subst '$(KERNELS)','$(or $(KERNELS),6.1-oldest)',$(RUN_KERNELS))

# The installed units, under a systemd of their own: tests/systemd/boot.sh. ONLY: some of the checks.
# SYSTEMD_ROOT: a tree of files with another systemd than this machine's.
SYSTEMD_TREE := $(BUILD)/systemd/installed
.PHONY: test-systemd
test-systemd: deps-systemd
	@$(MAKE) --no-print-directory $(if $(Q),--quiet) all $(TEST_CLIENTS) $(TEST_WORKER)
	@rm -rf $(SYSTEMD_TREE)
	@$(MAKE) --no-print-directory install DESTDIR=$(abspath $(SYSTEMD_TREE)) PREFIX=/usr/local >/dev/null
	@$(SUDO) env PATH="$$PATH" BUILD=$(abspath $(BUILD)) SYSTEMD_ROOT='$(SYSTEMD_ROOT)' tests/systemd/run.sh $(abspath $(SYSTEMD_TREE)) $(ONLY)

# Not a part of `test`: it takes some minutes. In the namespaces that tests/run.py would make.
.PHONY: soak
soak: deps-test
	@$(MAKE) --no-print-directory all $(TEST_PEERS) node-packages
	@$(SUDO) env BUILD=$(abspath $(BUILD)) TIMES=1 python3 -B tests/e2e/soak_lifecycle.py
	@$(SUDO) env BUILD=$(abspath $(BUILD)) TIMES=1 python3 -B tests/e2e/soak_passing.py
	@$(SUDO) env BUILD=$(abspath $(BUILD)) TIMES=1 python3 -B tests/e2e/soak_socketio.py
	@$(SUDO) env BUILD=$(abspath $(BUILD)) TIMES=$(or $(TIMES),5) RATE=$(or $(RATE),1000) \
		python3 -B tests/e2e/soak_distance.py
	@$(SUDO) env BUILD=$(abspath $(BUILD)) TIMES=$(or $(TIMES),60) python3 -B tests/e2e/soak_storm.py
	@$(MAKE) --no-print-directory soak-threads

# ---- Sanitizers -------------------------------------------------------------------
# Words for a make that builds with them.
ASAN_BUILD = BUILD=$(BUILD)/asan OPTIMIZE='-O1 -g -fno-omit-frame-pointer' \
	SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'
TSAN_BUILD = BUILD=$(BUILD)/tsan OPTIMIZE='-O1 -g' SANITIZE='-fsanitize=thread'
.PHONY: asan tsan
asan: deps-test
	@$(MAKE) --no-print-directory $(ASAN_BUILD) test
# What has threads: the library, the dispatchers, the built-in demo. About 5 minutes. The tests of a
# crowd and of kills under load are left out: they measure memory and speed.
TSAN_E2E := e2e/test_heads $(addprefix e2e/test_passing:,Reload Scale Stop Takeover Upgrade) \
	$(addprefix e2e/test_delivery:,Answers Workers) $(addprefix e2e/test_start:,Demo Workers Stop) \
	e2e/test_proxies:Sticky e2e/test_examples:Threads
tsan: deps-test
	@$(MAKE) --no-print-directory $(TSAN_BUILD) test-programs
	@$(SUDO) env BUILD=$(abspath $(BUILD))/tsan $(REPEAT) \
		ONLY='unit/test_dispatcher unit/test_log kernel/ $(TSAN_E2E)' \
		python3 -B tests/run.py unit kernel e2e

# For longer than `asan` and `tsan` do it. $(1): seconds; $(2): of which build; $(3): the test.
run_soak = $(SUDO) env BUILD=$(abspath $(2)) TIMES=$(1) $(if $(SEED),SEED=$(SEED)) python3 -B tests/e2e/$(3)
.PHONY: soak-programs soak-threads soak-storm
soak-programs: all $(TEST_PEERS)
	@:
soak-threads: deps-test
	@$(MAKE) --no-print-directory soak-programs
	@$(MAKE) --no-print-directory $(ASAN_BUILD) soak-programs
	@$(MAKE) --no-print-directory $(TSAN_BUILD) soak-programs
	@$(call run_soak,$(or $(TIMES),60),$(BUILD),test_examples.py Threads)
	@$(call run_soak,$(or $(TIMES),60),$(BUILD)/asan,test_examples.py Threads)
	@$(call run_soak,$(or $(TIMES),60),$(BUILD)/tsan,test_examples.py Threads)
soak-storm: deps-test
	@$(MAKE) --no-print-directory $(ASAN_BUILD) soak-programs
	@$(MAKE) --no-print-directory $(TSAN_BUILD) soak-programs
	@$(call run_soak,$(or $(TIMES),600),$(BUILD)/asan,soak_storm.py)
	@$(call run_soak,$(or $(TIMES),600),$(BUILD)/tsan,soak_storm.py)

# ---- Fuzzing: one program for each file in tests/fuzz/, FUZZ_TIME each --------------
FUZZ_TIME ?= 60
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/*.c))
FUZZED := src/bind/bind_address.c src/handoff/client_ip.c src/common/prefixes.c src/handoff/proxy_header.c src/common/units.c \
	src/common/sanitize.c src/process/env_file.c src/node/cluster_messages.c src/node/ipc.c \
	src/node/json_scan.c src/node/node_input.c src/node/node_message.c src/node/relay.c \
	src/node/unheard.c src/node/v8_reader.c src/node/v8_text.c src/node/v8_value.c \
	src/wire/fd_passing.c

$(FUZZERS): $(BUILD)/%: %.c $(FUZZED) $(wildcard src/bind/*.h src/common/*.h src/handoff/*.h src/node/*.h src/process/*.h src/wire/*.h)
	$(call SAY,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(CPPFLAGS) \
		-o $@ $< $(FUZZED) -levent_core -ljansson

# Inputs are kept from run to run; what was found is written to build/.
.PHONY: fuzz
fuzz: deps-lint
	@$(MAKE) --no-print-directory $(FUZZERS)
	@cd $(BUILD) && for fuzzer in $(abspath $(FUZZERS)); do \
		mkdir -p $$fuzzer.corpus; \
		if $$fuzzer -max_total_time=$(FUZZ_TIME) -max_len=20000 $$fuzzer.corpus \
			$(CURDIR)/tests/fuzz/$$(basename $$fuzzer).seeds \
			>$$fuzzer.log 2>&1; then \
			echo "ok   $$(basename $$fuzzer): $$(grep -o 'Done.*' $$fuzzer.log)"; \
		else tail -40 $$fuzzer.log; exit 1; fi; done

# ---- Checks -----------------------------------------------------------------------
C_FILES = $(shell git ls-files '*.c' '*.h')

.PHONY: check check-examples format format-check layers docs man html schema lint compilers consumer
check: deps-test deps-lint
	@$(MAKE) --no-print-directory format-check
	@$(MAKE) --no-print-directory layers
	@$(MAKE) --no-print-directory docs
	@$(MAKE) --no-print-directory html
	@$(MAKE) --no-print-directory check-examples
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory compilers
	@$(MAKE) --no-print-directory consumer
	@$(MAKE) --no-print-directory units
	@$(MAKE) --no-print-directory check-abi
	@$(MAKE) --no-print-directory bench-guard
	@$(MAKE) --no-print-directory fuzz FUZZ_TIME=10
	@$(MAKE) --no-print-directory asan
	@$(MAKE) --no-print-directory tsan
	@$(MAKE) --no-print-directory test-distros-short
	@$(MAKE) --no-print-directory test-kernels-short

format: deps-lint
	clang-format -i $(C_FILES)
format-check: deps-lint
	$(call SAY,FORMAT,--dry-run)
	$(Q)clang-format --dry-run --Werror $(C_FILES)

layers:
	$(call SAY,LAYERS,src/LAYERS)
	$(Q)python3 -B tests/layers.py
docs: all
	$(call SAY,DOCS,README.md)
	$(Q)python3 -B tests/docs.py
	$(Q)python3 -B docs/man.py --check
	$(Q)BUILD=$(BUILD) python3 -B docs/manual/pages.py --check
# The files of examples/hosts are accepted by haproxy -c, nginx -t, stickyctl check, or by schemas.
check-examples: deps-test deps-hosts all $(HOSTS_NODE)
	$(call SAY,EXAMPLES,examples/hosts)
	$(Q)BUILD=$(abspath $(BUILD)) python3 -B tests/hosts/check_examples.py
# docs/man/*.3, from the comments of include/sticky.h; the others from docs/man/*.scd and the tables of
# options and commands.
man: deps-docs all
	$(call SAY,MAN,docs/man)
	$(Q)python3 -B docs/man.py
	$(Q)BUILD=$(BUILD) python3 -B docs/manual/pages.py

# README.md, docs/ and the manual, to be read in a browser: build/html/index.html.
html: deps-docs
	$(call SAY,HTML,$(BUILD)/html)
	$(Q)python3 -B docs/site/make.py $(BUILD)/html
	$(Q)python3 -B tests/html_links.py $(BUILD)/html

# docs/sticky.schema.json, from the table of options; tests/unit/test_check.py looks whether it is new.
schema: all
	$(call SAY,SCHEMA,docs/sticky.schema.json)
	$(Q)$(STICKYCTL) check --schema > docs/sticky.schema.json

lint: deps-lint deps-test all
	$(call SAY,LINT,cppcheck)
	$(Q)cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1 --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
		-D__BYTE_ORDER__=1234 -D__ORDER_BIG_ENDIAN__=4321 -Iinclude -Isrc -I. -I$(BUILD)/generated src bpf/select.h
	$(call SAY,LINT,clang-tidy)
	$(Q)clang-tidy --quiet $(LIB_SOURCES) $(CONTROLLER_SOURCES) $(CLI_SOURCES) -- \
		-std=c11 $(CPPFLAGS) 2>/dev/null

# Everything builds without a warning under both compilers.
compilers: deps-test deps-lint
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/gcc CC=gcc WERROR=1 programs
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang WERROR=1 programs

# What systemd itself finds wrong in the units.
.PHONY: units
units: deps-systemd all
	$(call SAY,UNITS,packaging/systemd)
	$(Q)$(foreach kind,system user,$(call write_unit,$(kind),$(abspath $(BUILD)),\
		$(BUILD)/systemd/$(kind)/sticky@.service) &&) true
	$(Q)tests/systemd/verify.sh $(abspath $(BUILD))/systemd

# A program outside of this tree: the public header alone, in C and in C++, against both libraries.
CONSUMER_FLAGS := -pedantic -Wall -Wextra -Werror -Iinclude
consumer: all
	$(call SAY,CONSUMER,tests/consumer.c)
	$(Q)for link in '-L$(BUILD) -lsticky -Wl,-rpath,$(abspath $(BUILD))' '$(LIBSTICKY_INSTALLED) $(LIB_LIBS)'; do \
		$(CC) -std=c99 $(CONSUMER_FLAGS) tests/consumer.c -o $(BUILD)/consumer $$link && \
		$(BUILD)/consumer && \
		g++ -std=c++11 $(CONSUMER_FLAGS) -x c++ tests/consumer.c -x none -o $(BUILD)/consumer-cpp $$link && \
		$(BUILD)/consumer-cpp || exit 1; \
	done
	$(Q)BUILD=$(BUILD) MAKE='$(MAKE) --no-print-directory' CC='$(CC)' sh tests/install.sh

# What programs that were built before depend on: symbols, structures, declarations.
.PHONY: check-abi check-abi-update
check-abi check-abi-update: all
	$(call SAY,ABI,src/lib/libsticky.abi)
	$(Q)BUILD=$(BUILD) CC='$(CC)' python3 -B tests/abi.py $(if $(filter %-update,$@),--update)

# ---- Benchmarks -------------------------------------------------------------------
# --as-needed: a benchmark depends on what it calls alone, and starts the faster for it.
$(BENCHES): $(BUILD)/%: $(BUILD)/%.o $(BENCH_LIB) $(CONTROLLER) $(LIBSTICKY)
	$(call SAY,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -Wl,--as-needed -o $@ $^ -lbpf $(CTL_LIBS) $(LIB_LIBS)

# What bench/rig/settings.py reads from the environment; sudo would not pass it on.
BENCH_SETTINGS = $(shell sed -n 's/^    "\([a-z_]*\)": .*/\1/p' bench/rig/settings.py | tr a-z A-Z)
RUN_BENCH = $(SUDO) env PATH="$$PATH" BUILD=$(abspath $(BUILD)) \
	$(foreach v,$(BENCH_SETTINGS),$(if $($(v)),$(v)=$($(v)))) python3 -B bench/bench.py

$(BUILD)/bench/node/installed: bench/node/package.json bench/node/package-lock.json
	$(npm_ci)

# ONLY: sections, where not all are to be measured.
.PHONY: benches bench bench-quick bench-hash bench-programs
benches: all $(BENCHES)
bench-programs: deps-bench
	@$(MAKE) --no-print-directory benches $(TEST_CLIENTS) $(BUILD)/bench/node/installed
bench: bench-programs
	@$(RUN_BENCH) $(ONLY)
bench-quick: bench-programs
	@$(RUN_BENCH) --quick $(ONLY)
bench-hash: HASH_WORKERS = $(WORKERS)
bench-hash: HASH_ADDRESSES = $(ADDRESSES)
bench-hash: bench-programs
	@$(RUN_BENCH) hashing

# Instructions and not time: not disturbed by what else runs. In a directory of its own, so that the
# flags are these whatever the others were built with; valgrind can't read clang's -g.
GUARD_BUILD = $(BUILD)/guard
RUN_GUARD = BUILD=$(GUARD_BUILD) CC='$(CC)' BPF_CLANG='$(BPF_CLANG)' SUDO='$(SUDO)' \
	python3 -B bench/guard.py
.PHONY: bench-guard bench-guard-update bench-guard-build
bench-guard-build: deps-bench
	@$(MAKE) --no-print-directory $(if $(Q),--quiet) BUILD=$(GUARD_BUILD) OPTIMIZE=-O2 SANITIZE= \
		$(GUARD_BUILD)/bench/guard
bench-guard: bench-guard-build
	@python3 -B bench/guard.py --self-test
	@$(RUN_GUARD)
bench-guard-update: bench-guard-build
	@$(RUN_GUARD) --update

# ---- Installing -------------------------------------------------------------------
# STICKY_VERSION of the header, the one place that says it: what stands between the quotation marks,
# after any white space.
VERSION := $(shell sed -n 's/^\#define STICKY_VERSION[[:space:]]*"\(.*\)"/\1/p' include/sticky.h)
# Each directory by its GNU name: $(1), by another name that it has here: $(2), what it is by default.
define directory
$(1) ?= $(if $(filter undefined,$(origin $(2))),$(3),$$($(2)))
$(if $(filter undefined,$(origin $(2))),$(2) = $$($(1)))
endef
$(eval $(call directory,prefix,PREFIX,/usr/local))
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
includedir ?= $(prefix)/include
datarootdir ?= $(prefix)/share
$(eval $(call directory,libdir,LIBDIR,$$(exec_prefix)/lib))
$(eval $(call directory,datadir,SHAREDIR,$$(datarootdir)))
$(eval $(call directory,mandir,MANDIR,$$(datarootdir)/man))
$(eval $(call directory,docdir,DOCDIR,$$(datarootdir)/doc/stickyctl))
pkgconfigdir ?= $(libdir)/pkgconfig
.PHONY: install uninstall clean
INSTALLED := $(bindir)/stickyctl $(includedir)/sticky.h $(libdir)/libsticky.a \
	$(libdir)/libsticky.so.0 $(libdir)/libsticky.so $(pkgconfigdir)/libsticky.pc
# A page's section is the end of its name.
MAN_SECTIONS := $(sort $(patsubst .%,%,$(suffix $(wildcard docs/man/*.[1-8]))))
man_pages = $(wildcard docs/man/*.$(1))
# A function's own page is a link to that of its group: "FUNCTION PAGE" in docs/man/aliases.
MAN_INSTALLED := $(foreach section,$(MAN_SECTIONS),$(addprefix $(mandir)/man$(section)/,\
	$(notdir $(call man_pages,$(section))))) \
	$(addprefix $(mandir)/man3/,$(shell sed 's/ .*/.3/' docs/man/aliases))
# Each shell looks for completions in a place of its own.
COMPLETION_bash ?= $(datadir)/bash-completion/completions/stickyctl
COMPLETION_zsh ?= $(datadir)/zsh/site-functions/_stickyctl
COMPLETION_fish ?= $(datadir)/fish/vendor_completions.d/stickyctl.fish
SCHEMA_INSTALLED := $(datadir)/sticky/sticky.schema.json
COMPLETIONS := $(foreach shell,$(SHELLS),$(COMPLETION_$(shell)))
# systemd looks for units below /usr/local/lib and /usr/lib, whatever libdir is.
SYSTEMD_SYSTEM_UNIT_DIR ?= $(prefix)/lib/systemd/system
SYSTEMD_USER_UNIT_DIR ?= $(prefix)/lib/systemd/user
UNIT_system := $(SYSTEMD_SYSTEM_UNIT_DIR)/sticky@.service
UNIT_user := $(SYSTEMD_USER_UNIT_DIR)/sticky@.service
UNIT_SOURCE_system := packaging/systemd/sticky@.service.in
UNIT_SOURCE_user := packaging/systemd/user/sticky@.service.in
UNITS := $(UNIT_system) $(UNIT_user)
# $(1): system or user. $(2): the directory of stickyctl. $(3): the unit.
write_unit = install -d -m 755 $(dir $(3)) && sed 's|@BINDIR@|$(2)|' $(UNIT_SOURCE_$(1)) > $(3) && \
	chmod 644 $(3)
# Licences, and examples for other programs: logrotate(8) reads /etc alone, whatever the prefix is.
DOCUMENTS := LICENSE CHANGELOG.md
EXAMPLES := packaging/stickyctl.logrotate packaging/prometheus/stickyctl.rules.yml \
	packaging/prometheus/stickyctl.rules.test.yml packaging/grafana/stickyctl.json
# The library's guide, and the examples that it names. Of its links those to them are kept.
GUIDE := library.md
GUIDE_LINKS := 's/\](\.\.\/examples\//](examples\//g; s/\[\([^]]*\)\]([^e][^)]*)/\1/g'
GUIDE_EXAMPLES := $(addprefix examples/,threads prefork io_uring cpp)
GUIDE_FILES := $(wildcard $(foreach pattern,Makefile *.[ch] *.[ch]pp,$(addsuffix /$(pattern),$(GUIDE_EXAMPLES))))
DOCUMENTS_INSTALLED := $(addprefix $(docdir)/,$(DOCUMENTS) $(GUIDE) $(GUIDE_FILES)) \
	$(addprefix $(docdir)/examples/,$(notdir $(EXAMPLES)))
# Directories that are of stickyctl alone, the inner ones first.
OWN_DIRECTORIES := $(addprefix $(docdir)/,$(GUIDE_EXAMPLES)) $(docdir)/examples $(docdir) $(datadir)/sticky
# SETCAP=1: any user may run the installed stickyctl with the BPF program, and on ports below 1024.
SETCAP ?= 0
FILE_CAPABILITIES := cap_bpf,cap_net_bind_service+ep
install: all
	install -D -m 755 $(STICKYCTL) $(DESTDIR)$(bindir)/stickyctl
	install -D -m 644 include/sticky.h $(DESTDIR)$(includedir)/sticky.h
	install -D -m 644 $(LIBSTICKY_INSTALLED) $(DESTDIR)$(libdir)/libsticky.a
	install -D -m 755 $(LIBSTICKY_SO) $(DESTDIR)$(libdir)/libsticky.so.0
	ln -sf libsticky.so.0 $(DESTDIR)$(libdir)/libsticky.so
	install -d -m 755 $(DESTDIR)$(pkgconfigdir)
	sed -e 's|@PREFIX@|$(prefix)|; s|@LIBDIR@|$(libdir)|; s|@INCLUDEDIR@|$(includedir)|' \
		-e 's|@VERSION@|$(VERSION)|' src/lib/libsticky.pc.in > $(DESTDIR)$(pkgconfigdir)/libsticky.pc
	chmod 644 $(DESTDIR)$(pkgconfigdir)/libsticky.pc
	install -d -m 755 $(foreach section,$(MAN_SECTIONS),$(DESTDIR)$(mandir)/man$(section))
	$(foreach section,$(MAN_SECTIONS),install -m 644 $(call man_pages,$(section)) \
		$(DESTDIR)$(mandir)/man$(section) &&) true
	while read -r name page; do \
		ln -sf "$$page.3" "$(DESTDIR)$(mandir)/man3/$$name.3" || exit 1; \
	done < docs/man/aliases
	$(foreach shell,$(SHELLS),install -D -m 644 src/cli/completion.$(shell) \
		$(DESTDIR)$(COMPLETION_$(shell)) &&) true
	install -D -m 644 docs/sticky.schema.json $(DESTDIR)$(SCHEMA_INSTALLED)
	$(call write_unit,system,$(bindir),$(DESTDIR)$(UNIT_system))
	$(call write_unit,user,$(bindir),$(DESTDIR)$(UNIT_user))
	install -d -m 755 $(DESTDIR)$(docdir)/examples
	install -m 644 $(DOCUMENTS) $(DESTDIR)$(docdir)
	install -m 644 $(EXAMPLES) $(DESTDIR)$(docdir)/examples
	sed $(GUIDE_LINKS) docs/$(GUIDE) > $(DESTDIR)$(docdir)/$(GUIDE)
	chmod 644 $(DESTDIR)$(docdir)/$(GUIDE)
	$(foreach file,$(GUIDE_FILES),install -D -m 644 $(file) $(DESTDIR)$(docdir)/$(file) &&) true
	$(if $(filter 1,$(SETCAP)),setcap $(FILE_CAPABILITIES) $(DESTDIR)$(bindir)/stickyctl)
	@$(if $(DESTDIR),,ldconfig || echo 'run ldconfig as root: programs find libsticky.so.0 after that')
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED) $(MAN_INSTALLED) $(COMPLETIONS) $(SCHEMA_INSTALLED) \
		$(DOCUMENTS_INSTALLED) $(UNITS))
	-@for directory in $(addprefix $(DESTDIR),$(OWN_DIRECTORIES)); do \
		[ ! -d "$$directory" ] || rmdir --ignore-fail-on-non-empty "$$directory"; \
	done
	@$(if $(DESTDIR),,ldconfig || true)

include packaging/packages.mk
include packaging/npm/npm.mk

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/bpf $(BUILD)/src $(BUILD)/tests $(BUILD)/bench $(BUILD)/packaging -name '*.d' 2>/dev/null)
