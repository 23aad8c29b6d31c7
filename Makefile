# GNU make. `make help` lists the targets.
#
# Variables: PREFIX, LIBDIR and DESTDIR for `install`, SECONDS for `fuzz` and `soak`, N and BY for `soak`, CARGO_FLAGS for every
# cargo command that takes `--locked` or `--offline`, BENCH_FLAGS for `bench`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CARGO ?= cargo
CARGO_FLAGS ?=
BENCH_FLAGS ?=
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
SECONDS ?= 300

TARGET := $(or $(CARGO_TARGET_DIR),target)
XBKIT := $(TARGET)/release/xbkit

bindir := $(DESTDIR)$(PREFIX)/bin
mandir := $(DESTDIR)$(PREFIX)/share/man
bashdir := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
zshdir := $(DESTDIR)$(PREFIX)/share/zsh/site-functions
fishdir := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
libdir := $(DESTDIR)$(LIBDIR)
includedir := $(DESTDIR)$(PREFIX)/include

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# The number that counts breaks of the C interface; link.sh has it, too.
SONAME := libxbkit.so.0

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build-deps
build-deps:
	@tests/lib/deps.sh build

.PHONY: build
build: build-deps ## the release build, target/release/xbkit
	$(CARGO) build $(CARGO_FLAGS) --release --bin xbkit

.PHONY: test-deps
test-deps: ## install what the tests need (Debian packages; Python's in .venv, MariaDB 11.8 in .servers)
	@tests/lib/deps.sh build test
	@tests/lib/python.sh
	@tests/lib/plugins.sh
	@tests/lib/mariadb118.sh

.PHONY: test
test: test-deps ## all tests, doctests and test scripts, with a summary
	CARGO="$(CARGO)" CARGO_FLAGS="$(CARGO_FLAGS)" tests/run.sh

.PHONY: lint
lint: build-deps ## formatting, clippy and rustdoc; a warning is an error
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(CARGO_FLAGS) --workspace --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(CARGO_FLAGS) --workspace --no-deps

.PHONY: demo
demo: demo-deps build ## back up a real MariaDB data directory, restore it, compare every table
	XBKIT=$(XBKIT) tests/demo/demo.sh

.PHONY: demo-deps
demo-deps:
	@tests/lib/deps.sh build demo

# Each installed part is a target of its own, so that a new one is one line here.
.PHONY: install
install: install-bin install-man install-completions install-lib install-header ## the program, its names, man pages, completions and the C library, below PREFIX

.PHONY: install-bin
install-bin: build
	install -d $(bindir)
	install -m 755 $(XBKIT) $(bindir)/xbkit
	$(bindir)/xbkit link $(bindir)

.PHONY: install-man
install-man: install-bin
	install -d $(mandir)/man1
	$(bindir)/xbkit man $(mandir)/man1

.PHONY: install-completions
install-completions: install-bin
	install -d $(bashdir) $(zshdir) $(fishdir)
	$(bindir)/xbkit completions bash > $(bashdir)/xbkit
	$(bindir)/xbkit completions zsh > $(zshdir)/_xbkit
	$(bindir)/xbkit completions fish > $(fishdir)/xbkit.fish

.PHONY: build-lib
build-lib: build-deps ## the C library, target/release/libxbkit.a
	$(CARGO) build $(CARGO_FLAGS) --release --package xbkit-capi

# The shared library is linked from the static one, with symbol versions; link.sh says why.
.PHONY: install-lib
install-lib: build-lib
	install -d $(libdir)/pkgconfig $(libdir)/cmake/xbkit
	bindings/c/link.sh $(TARGET)/release/libxbkit.a $(libdir)/libxbkit.so.$(VERSION)
	chmod 755 $(libdir)/libxbkit.so.$(VERSION)
	ln -sf libxbkit.so.$(VERSION) $(libdir)/$(SONAME)
	ln -sf $(SONAME) $(libdir)/libxbkit.so
	install -m 644 $(TARGET)/release/libxbkit.a $(libdir)/libxbkit.a
	strip --strip-debug $(libdir)/libxbkit.a
	$(fill-in) bindings/c/install/xbkit.pc.in > $(libdir)/pkgconfig/xbkit.pc
	$(fill-in) bindings/c/install/xbkitConfig.cmake.in > $(libdir)/cmake/xbkit/xbkitConfig.cmake
	$(fill-in) bindings/c/install/xbkitConfigVersion.cmake.in \
		> $(libdir)/cmake/xbkit/xbkitConfigVersion.cmake
	chmod 644 $(libdir)/pkgconfig/xbkit.pc $(libdir)/cmake/xbkit/*.cmake

fill-in = sed -e 's,@PREFIX@,$(PREFIX),g' -e 's,@LIBDIR@,$(LIBDIR),g' -e 's,@VERSION@,$(VERSION),g' \
	-e 's,@NATIVE_LIBS@,'"$$(cat bindings/c/native-libs.txt)"',g' \
	-e 's,@LIB_TO_INCLUDE@,'"$$(realpath -m --relative-to=$(LIBDIR) $(PREFIX)/include)"',g'

.PHONY: install-header
install-header:
	install -d $(includedir)
	install -m 644 include/xbkit.h $(includedir)/xbkit.h

.PHONY: bench
bench: bench-peers bench-manifest bench-bindings bench-codecs bench-pages bench-hot ## speed and memory beside the peers, as Markdown tables

.PHONY: bench-peers
bench-peers: bench-deps build
	tests/bench/bench.py --tool $(XBKIT) $(BENCH_FLAGS)

.PHONY: bench-manifest
bench-manifest: bench-deps build
	PYTHONDONTWRITEBYTECODE=1 tests/bench/manifest.py --tool $(XBKIT)

# The interfaces as their users build them: the C library linked, the module from its wheel.
.PHONY: bench-bindings
bench-bindings: bench-deps build
	$(CARGO) build $(CARGO_FLAGS) --release -p xbkit-capi
	$(CC) -O2 -Iinclude -o $(TARGET)/release/callbacks tests/bench/callbacks.c \
	    $(TARGET)/release/libxbkit.a $$(grep -v '^#' bindings/c/native-libs.txt)
	[ -x $(TARGET)/bench-venv/bin/python ] || python3 -m venv $(TARGET)/bench-venv
	$(TARGET)/bench-venv/bin/pip install --quiet --disable-pip-version-check ./bindings/python
	PYTHONDONTWRITEBYTECODE=1 tests/bench/bindings.py --tool $(XBKIT) \
	    --callbacks $(TARGET)/release/callbacks --python $(TARGET)/bench-venv/bin/python $(BENCH_FLAGS)

.PHONY: bench-codecs
bench-codecs: bench-deps build
	$(CARGO) bench $(CARGO_FLAGS) --bench codecs
	PYTHONDONTWRITEBYTECODE=1 tests/bench/codec_speed.py --tool $(XBKIT) $(BENCH_FLAGS)

.PHONY: bench-pages
bench-pages: build-deps
	$(CARGO) bench $(CARGO_FLAGS) --bench pages

# Hot backups beside mariabackup's, which need 4 GB in TMPDIR and some minutes.
.PHONY: bench-hot
bench-hot: bench-deps build
	XBKIT=$(XBKIT) tests/bench/hot.sh

.PHONY: bench-deps
bench-deps:
	@tests/lib/deps.sh build bench

.PHONY: fuzz
fuzz: fuzz-deps ## try any bytes as a stream for SECONDS, on stable Rust
	CARGO="$(CARGO)" tests/fuzz/run.sh $(SECONDS)

.PHONY: fuzz-corpus
fuzz-corpus: fuzz-deps ## keep what fuzzing found, minimised, where `make test` replays it
	CARGO="$(CARGO)" tests/fuzz/run.sh minimise

.PHONY: fuzz-deps
fuzz-deps:
	@tests/lib/deps.sh build fuzz

.PHONY: soak
soak: test-deps build ## tests and demo again and again for SECONDS; or, with N=100, so many rounds of hot backups with faults
	$(if $(N),XBKIT=$(abspath $(XBKIT)) tests/hot/soak.sh $(N) $(BY),CARGO="$(CARGO)" CARGO_FLAGS="$(CARGO_FLAGS)" XBKIT=$(XBKIT) tests/soak.sh $(SECONDS))

.PHONY: header
header: build-deps ## make include/xbkit.h from the C interface's sources
	XBK_WRITE_HEADER=1 $(CARGO) test $(CARGO_FLAGS) --package xbkit-capi --test header the_header_is

.PHONY: abi
abi: test-deps ## take the C interface as it is for the released one; commit what it writes
	XBK_WRITE_ABI=1 $(CARGO) test $(CARGO_FLAGS) --package xbkit-capi --test symbols the_interface_is

.PHONY: clean
clean: ## remove what was built
	$(CARGO) clean
	rm -rf tests/fuzz/target .venv .plugins .servers bindings/python/python/xbkit/*.so
