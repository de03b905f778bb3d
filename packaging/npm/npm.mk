# SPDX-License-Identifier: MIT
# The package for npm: stickyctl with all libraries but glibc linked in, for x64 and arm64. What is in
# the program beside its own code: packaging/npm/libraries; the lowest glibc that it runs with:
# packaging/npm/floor.

NPM := $(BUILD)/npm
NPM_HOST := $(if $(filter aarch64,$(shell uname -m)),arm64,x64)
# An x64 machine makes both, another one its own.
NPM_CPUS ?= $(sort $(NPM_HOST) $(if $(filter x64,$(NPM_HOST)),arm64))
NPM_PACKAGES := npm mmdebstrap gcc-aarch64-linux-gnu qemu-user
# What is unpacked for arm64: the same libraries as here.
ARM64_ROOT := $(NPM)/arm64-root
ARM64_PACKAGES := $(filter %-dev,$(BUILD_PACKAGES))

# The program that runs wherever there is a glibc that is not too old. The linker's map names the
# libraries that something was taken from.
PORTABLE := portable/stickyctl
PORTABLE_LIBS = $(SCREEN_LIBS) $(CTL_LIBS) $(shell pkg-config --static --libs libelf)
PORTABLE_OBJECTS := $(call objects,$(wildcard packaging/npm/*.c))
$(BUILD)/$(PORTABLE): $(CLI_OBJECTS) $(PORTABLE_OBJECTS) $(CONTROLLER) $(LIBSTICKY) \
		packaging/npm/check_program.py packaging/npm/floor packaging/npm/libraries
	$(call SAY,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -Wl,-Map=$@.map -o $@.whole $(filter %.o %.a,$^) \
		-Wl,-Bstatic $(PORTABLE_LIBS) -Wl,-Bdynamic -Wl,--no-as-needed -l:libpthread.so.0
	$(Q)$(CROSS)strip -o $@ $@.whole && python3 -B packaging/npm/check_program.py $@ $@.map

$(ARM64_ROOT)/usr: packaging/npm/arm64_root.sh
	$(call SAY,UNPACK,$(@D))
	$(Q)$(SUDO) packaging/npm/arm64_root.sh $(@D) $(ARM64_PACKAGES)
	@touch $@; rm -f $(NPM_PROGRAM_arm64)

NPM_FILES := $(addprefix packaging/npm/,package.py stickyctl.sh README.md licences.md)
NPM_PROGRAM_x64 := $(BUILD)/$(PORTABLE)
NPM_PROGRAM_arm64 := $(if $(filter arm64,$(NPM_HOST)),$(BUILD),$(NPM)/arm64)/$(PORTABLE)
NPM_ROOT_arm64 := $(if $(filter arm64,$(NPM_HOST)),/,$(ARM64_ROOT))
NPM_ROOT_x64 := /
# $(1): the directory, $(2): the processors.
make_npm = python3 -B packaging/npm/package.py $(1) $(VERSION) \
	$(foreach cpu,$(2),$(cpu)=$(NPM_PROGRAM_$(cpu)):$(NPM_ROOT_$(cpu)))

.PHONY: deps-npm npm npm-arm64 npm-packages
deps-npm: deps
	$(call install_missing,$(filter-out $(if $(shell command -v npm),npm),$(NPM_PACKAGES)))

npm: deps-npm
	@$(MAKE) --no-print-directory $(NPM_CPUS:%=npm-program-%)
	@$(call make_npm,$(NPM),$(NPM_CPUS))
npm-arm64: deps-npm
	@$(MAKE) --no-print-directory npm-program-arm64

.PHONY: npm-program-$(NPM_HOST)
npm-program-$(NPM_HOST): $(BUILD)/$(PORTABLE)
	@:
ifneq ($(NPM_HOST),arm64)
# The other one; qemu shows that it begins. It has no bpf(2), so that doctor's exit status is 1.
.PHONY: npm-program-arm64
ON_ARM64 := qemu-aarch64 -L $(ARM64_ROOT) $(NPM_PROGRAM_arm64)
npm-program-arm64: $(ARM64_ROOT)/usr
	@$(MAKE) --no-print-directory BUILD=$(NPM)/arm64 CROSS=aarch64-linux-gnu- \
		CC='aarch64-linux-gnu-gcc --sysroot=$(abspath $(ARM64_ROOT))' $(NPM_PROGRAM_arm64)
	@$(ON_ARM64) version
	@$(ON_ARM64) doctor >$(NPM)/arm64/doctor.txt || true
	@grep -q '^ok *kernel' $(NPM)/arm64/doctor.txt

# More than that takes a kernel: half a minute in qemu.
ARM64_GUEST := $(NPM)/arm64-guest
$(ARM64_GUEST)/boot: packaging/npm/arm64_root.sh
	$(call SAY,UNPACK,$(@D))
	$(Q)$(SUDO) packaging/npm/arm64_root.sh $(@D) busybox-static linux-image-cloud-arm64
	@touch $@
.PHONY: test-npm-arm64
test-npm-arm64: npm
	$(call install_missing,qemu-system-arm cpio)
	@$(MAKE) --no-print-directory $(ARM64_GUEST)/boot
	@packaging/npm/arm64_boot.sh $(NPM) $(NPM)/package $(ARM64_ROOT) $(ARM64_GUEST)
endif

# For the tests: this processor's alone. A sanitizer's library can't be linked in so.
NPM_FOR_TESTS := $(if $(SANITIZE),,$(NPM)/test/stickyctl-$(VERSION).tgz)
$(NPM)/test/stickyctl-$(VERSION).tgz: $(BUILD)/$(PORTABLE) $(NPM_FILES)
	$(call SAY,NPM,$@)
	@mkdir -p $(@D)
	$(Q)if command -v npm >/dev/null; then $(call make_npm,$(@D),$(NPM_HOST)); fi
.PHONY: npm-for-tests
npm-for-tests: $(NPM_FOR_TESTS)
