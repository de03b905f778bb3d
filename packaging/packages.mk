# SPDX-License-Identifier: MIT
# The source archive, the Debian packages, the list of what is linked in: a part of the Makefile.

# dpkg-buildpackage wants all of build-essential.
DEB_PACKAGES := build-essential debhelper dpkg-dev pkgconf
# These are essential or in build-essential, and a package may not name them; pkg-config is pkgconf's
# former name.
DEB_BUILD_DEPENDS := $(filter-out gcc make binutils libc6-dev linux-libc-dev ncurses-bin pkg-config,\
	$(BUILD_PACKAGES)) pkgconf
# The number of the package of this version: a package that is built anew gets the next one.
DEB_REVISION ?= 1
DIST_NAME := stickyctl-$(VERSION)
DIST := $(BUILD)/$(DIST_NAME).tar.gz

.PHONY: dist deb deps-deb deps-sbom sbom test-packages
deps-deb: deps
	$(call install_missing,$(DEB_PACKAGES))

dist:
	$(call SAY,DIST,$(DIST))
	$(Q)sh packaging/dist.sh $(DIST_NAME) $(BUILD)

# packaging/debian becomes debian/ of a clean copy of the archive. What was built before is removed.
deb: deps-deb dist
	$(call SAY,DEB,$(BUILD)/deb)
	$(Q)sh packaging/debian.sh $(VERSION) $(DEB_REVISION) $(BUILD) "$(DEB_BUILD_DEPENDS)"

SBOM := $(BUILD)/$(DIST_NAME).spdx.json
deps-sbom: deps
	$(call install_missing,python3)
sbom: deps-sbom
	@$(MAKE) --no-print-directory all
	$(call SAY,SBOM,$(SBOM))
	$(Q)python3 -B packaging/sbom.py $(VERSION) $(BUILD) > $(SBOM).part && mv $(SBOM).part $(SBOM)

test-packages: deps-distros dist distro-source
	@$(SUDO) env BUILD=$(abspath $(BUILD)) python3 -B tests/packages/packages.py $(DIST_NAME) $(DISTROS)
