# Pathkeeper. The commands of the README; CI calls `make test`.
GO      ?= go
DESTDIR ?=
PREFIX  ?= /usr
LDFLAGS  = -s -w
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT  = mvdan.cc/gofumpt@v0.12.0
export CGO_ENABLED = 0

.PHONY: all build tree run sim check test test-all lab-deps install clean fmt

all: build

build:
	$(GO) build -trimpath -buildvcs=auto -ldflags '$(LDFLAGS)' -o pathkeeper ./cmd/pathkeeper

# What the lab puts over its guest's root: the installed product, and the tests
# of the real ports, which need a kernel with the devices.
TREE = build/tree
tree: build
	rm -rf $(TREE)
	$(MAKE) --no-print-directory install DESTDIR=$(TREE)
	@mkdir -p $(TREE)/usr/lib/pathkeeper-lab
	for p in dmmap/dmioctl scsi/sgio blockio uevent; do $(GO) test -c -o $(TREE)/usr/lib/pathkeeper-lab/ ./$$p || exit 1; done

LAB = $(GO) run ./lab/cmd/lab

# The main job on a real kernel, without a SAN. Needs root on a Debian-like
# machine; installs QEMU and builds the guest's image the first time.
STORY = rac-host rac-owners alua-failover no-path-retry restart remap adopt-multipathd hotplug
run: tree lab-deps
	$(LAB) run -tell -tree $(TREE) $(STORY:%=lab/scenarios/%.txt)

# The same story against the simulated kernel: no root, no QEMU, seconds.
sim: build
	./pathkeeper sim

# What needs neither root nor QEMU.
check:
	@out=$$($(GO) run $(GOFUMPT) -l $$(git ls-files '*.go')) || exit 1; test -z "$$out" || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) test ./...

# Everything that CI runs: check, then every scenario on the real kernel.
test: check tree lab-deps
	$(LAB) run -tree $(TREE) lab/scenarios/*.txt

# The long runs: test, the race detector, every fuzz target for FUZZTIME.
FUZZTIME ?= 60s
test-all: test
	CGO_ENABLED=1 $(GO) test -race ./...
	FUZZTIME=$(FUZZTIME) ./lab/fuzz.sh

lab-deps:
	$(GO) run ./lab/cmd/lab deps

# Under our own names only; nothing of multipath-tools is touched.
install: build
	install -D -m 0755 pathkeeper $(DESTDIR)$(PREFIX)/sbin/pathkeeper
	install -D -m 0644 packaging/pathkeeper.service $(DESTDIR)$(PREFIX)/lib/systemd/system/pathkeeper.service
	install -D -m 0644 packaging/modules-load.conf $(DESTDIR)$(PREFIX)/lib/modules-load.d/pathkeeper.conf
	./pathkeeper udev install $(DESTDIR)$(PREFIX)/lib/udev/rules.d

fmt:
	$(GO) run $(GOFUMPT) -w $$(git ls-files '*.go')

clean:
	rm -rf pathkeeper build
