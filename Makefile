# Pathkeeper. The commands of the README; CI calls `make test`.
GO      ?= go
DESTDIR ?=
PREFIX  ?= /usr
LDFLAGS  = -s -w
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT  = mvdan.cc/gofumpt@v0.12.0
export CGO_ENABLED = 0

.PHONY: all build tree run sim storm storm-all check test contract-golden corpus-golden bench test-all long-tree lab-deps install deb rpm clean fmt planted mutants

all: build

build:
	$(GO) build -trimpath -buildvcs=auto -ldflags '$(LDFLAGS)' -o pathkeeper ./cmd/pathkeeper

# What the lab puts over its guest's root: the installed product, and the tests
# of the real ports, which need a kernel with the devices.
# CORPUS is a folder with multipath.conf files of real hosts, which are not ours to
# ship; without it their scenario has nothing to do.
TREE = build/tree
CORPUS ?= ../shared/corpus/conf
tree: deb
	rm -rf $(TREE)
	$(MAKE) --no-print-directory install DESTDIR=$(TREE)
	@mkdir -p $(TREE)/usr/lib/pathkeeper-lab
	cp build/deb/pathkeeper_*.deb $(TREE)/usr/lib/pathkeeper-lab/pathkeeper.deb
	mkdir -p $(TREE)/usr/lib/pathkeeper-lab/corpus && cp testdata/corpus/* $(TREE)/usr/lib/pathkeeper-lab/corpus/
	if test -d "$(CORPUS)"; then cp -r "$(CORPUS)" $(TREE)/usr/lib/pathkeeper-lab/corpus/conf; fi
	for p in dmmap/dmioctl scsi/sgio blockio uevent contract; do $(GO) test -c -o $(TREE)/usr/lib/pathkeeper-lab/ ./$$p || exit 1; done

LAB = $(GO) run ./lab/cmd/lab

# What the long scenarios have over it: the RPM package, and a release of it to upgrade to.
long-tree: tree
	$(LAB) deps long
	for n in 1 2; do $(MAKE) --no-print-directory rpm RPM_RELEASE=$$n && cp build/rpm/pathkeeper-*-$$n.*.rpm $(TREE)/usr/lib/pathkeeper-lab/pathkeeper-$$n.rpm || exit 1; done

# The main job on a real kernel, without a SAN. Needs root on a Debian-like
# machine; installs QEMU and builds the guest's image the first time.
STORY = rac-host rac-owners alua-failover no-path-retry restart remap adopt-multipathd hotplug
run: tree lab-deps
	$(LAB) run -tell -tree $(TREE) $(STORY:%=lab/scenarios/%.txt)

# The same scripts against the simulated kernel, as far as they need no tool of the
# lab's, then failures that a real machine cannot be made to have: no root, no QEMU, seconds.
sim: build
	./pathkeeper sim $(STORY:%=lab/scenarios/%.txt) sim/scenarios/*.txt

# What needs neither root nor QEMU.
check:
	@out=$$($(GO) run $(GOFUMPT) -l $$(git ls-files '*.go')) || exit 1; test -z "$$out" || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) test ./...

# Random hosts, faults and operators against the simulated kernel, and the core
# alone on a model; each seed twice. Every law is checked at every step.
HOST_STEPS = 200000
CORE_STEPS = 5000000
storm: build
	./pathkeeper sim --host-steps $(HOST_STEPS) --core-steps $(CORE_STEPS)

# A hundred times that, each seed once, and every pair of state and event often enough.
# Some two hours on two cores; with TALLY=FILE it goes on where an earlier one ended.
storm-all: build
	GOGC=800 ./pathkeeper sim --host-steps 20000000 --core-steps 500000000 --once --cover $(TALLY:%=--tally %)

# Everything that CI runs: check, storms, then every scenario on the real kernel.
test: check storm tree lab-deps
	$(LAB) run -tree $(TREE) lab/scenarios/*.txt

# Records the contract's transcripts again, from the real kernel.
contract-golden: tree lab-deps
	sed 's/PATHKEEPER_LAB=1/& CONTRACT_RECORD=1/' lab/scenarios/contract.txt > build/contract-golden.txt
	$(LAB) run -tree $(TREE) -fetch build/contract-golden build/contract-golden.txt
	cp build/contract-golden/contract/*.txt contract/testdata/

# Records what Debian's multipath -t makes of the corpus again.
corpus-golden: tree lab-deps
	sed 's/^here=/CORPUS_RECORD=1\n&/' lab/scenarios/conf-corpus.txt > build/corpus-golden.txt
	$(LAB) run -tree $(TREE) -fetch build/corpus-golden build/corpus-golden.txt
	cd build/corpus-golden/corpus && sha256sum *.dump $$(ls *.refused 2>/dev/null) > ../../../testdata/corpus/debian-0.9.4.sha256
	PATHKEEPER_CORPUS=$(abspath $(CORPUS)) CORPUS_RECORD=$(abspath build/corpus-golden/corpus) $(GO) test ./configs -run TestCorpus -v

# Ours against Debian's programs, in turns in one guest; docs/performance.md has a result.
bench: tree lab-deps
	$(GO) build -o $(TREE)/usr/lib/pathkeeper-lab/bench ./lab/cmd/bench
	$(LAB) run -v -tree $(TREE) lab/bench/*.txt

# The long runs: test, the long scenarios, planted bugs and mutations, the race detector, every fuzz target for FUZZTIME.
FUZZTIME ?= 60s
test-all: test storm-all planted mutants long-tree
	$(LAB) run -tree $(TREE) lab/scenarios/long/*.txt
	PATHKEEPER_SOAK=1000000 $(GO) test -run TestMpathdSoak ./server
	PATHKEEPER_UEVENTS=100000 $(GO) test -run TestUeventSoak -timeout 30m ./daemon
	CGO_ENABLED=1 $(GO) test -race ./...
	FUZZTIME=$(FUZZTIME) ./lab/fuzz.sh

# The test of the tests: every planted bug must be caught; mutations by rule over
# mpath and engine, a sample of them in test-all, all with SAMPLE=1.
SAMPLE ?= 16
planted:
	$(GO) run ./lab/cmd/mutate planted
mutants:
	$(GO) run ./lab/cmd/mutate run -sample $(SAMPLE) -least 70

lab-deps:
	$(GO) run ./lab/cmd/lab deps

# Under our own names only; nothing of multipath-tools is touched.
install: build
	install -D -m 0755 pathkeeper $(DESTDIR)$(PREFIX)/sbin/pathkeeper
	install -D -m 0644 packaging/pathkeeper.service $(DESTDIR)$(PREFIX)/lib/systemd/system/pathkeeper.service
	install -D -m 0644 packaging/pathkeeper-queueing.service $(DESTDIR)$(PREFIX)/lib/systemd/system/pathkeeper-queueing.service
	install -D -m 0644 packaging/pathkeeper-shutdown.service $(DESTDIR)$(PREFIX)/lib/systemd/system/pathkeeper-shutdown.service
	install -D -m 0644 packaging/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/pathkeeper.conf
	install -D -m 0644 packaging/pathkeeper.schema.json $(DESTDIR)$(PREFIX)/share/pathkeeper/pathkeeper.schema.json
	install -D -m 0644 packaging/modules-load.conf $(DESTDIR)$(PREFIX)/lib/modules-load.d/pathkeeper.conf
	./pathkeeper udev install $(DESTDIR)$(PREFIX)/lib/udev/rules.d
	./pathkeeper man $(DESTDIR)$(PREFIX)/share/man --theirs $(DESTDIR)$(PREFIX)/share/pathkeeper/man
	./pathkeeper completion $(DESTDIR)$(PREFIX)/share
	install -D -m 0755 packaging/initramfs-tools/hook $(DESTDIR)$(PREFIX)/share/initramfs-tools/hooks/pathkeeper
	install -D -m 0755 packaging/initramfs-tools/maps $(DESTDIR)$(PREFIX)/share/initramfs-tools/scripts/local-top/pathkeeper
	install -D -m 0755 packaging/initramfs-tools/maps $(DESTDIR)$(PREFIX)/share/initramfs-tools/scripts/local-block/pathkeeper
	install -d $(DESTDIR)$(PREFIX)/lib/dracut/modules.d/90pathkeeper
	install -m 0755 packaging/dracut/module-setup.sh packaging/dracut/maps.sh $(DESTDIR)$(PREFIX)/lib/dracut/modules.d/90pathkeeper
	install -m 0644 packaging/dracut/pathkeeper.service $(DESTDIR)$(PREFIX)/lib/dracut/modules.d/90pathkeeper
	install -D -m 0644 packaging/dracut/pathkeeper.conf $(DESTDIR)$(PREFIX)/lib/dracut/dracut.conf.d/50-pathkeeper.conf

# build/deb/*.deb: pathkeeper takes the place of multipath-tools on a host that has it,
# pathkeeper-standalone is for hosts without. docs/packages.md.
deb: build
	rm -rf build/deb
	$(MAKE) --no-print-directory install DESTDIR=build/deb/tree
	packaging/build-deb build/deb/tree build/deb

# build/rpm/*.rpm, where rpmbuild is installed.
RPM_RELEASE ?= 1
rpm: build
	@command -v rpmbuild > /dev/null || { echo "make rpm wants rpmbuild (Debian: apt install rpm; Fedora: dnf install rpm-build)"; exit 1; }
	rm -rf build/rpm
	$(MAKE) --no-print-directory install DESTDIR=build/rpm/tree
	packaging/build-rpm build/rpm/tree build/rpm $(RPM_RELEASE)

fmt:
	$(GO) run $(GOFUMPT) -w $$(git ls-files '*.go')

clean:
	rm -rf pathkeeper build
