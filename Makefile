# nopool: build, checks, tables. `make help` lists the targets; -include config.mk holds your own settings.
SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS   += --no-builtin-rules
.DEFAULT_GOAL := all

-include config.mk

CC      ?= cc
ifeq ($(origin CC),default)
CC      := gcc
endif
BUILD   ?= build
WARN    := -Wall -Wextra -Werror -Wno-psabi
# The reference is plain double arithmetic: nothing fused, nothing reordered. No set uses -ffast-math.
REF_FLAGS   := -std=c11 -O2 -g -ffp-contract=off $(WARN)
# Products and sums may fuse (-ffp-contract=fast): one rounding less, and the error bounds hold either way.
FAST_FLAGS  := -std=c11 -O3 -ffp-contract=fast -g -fopenmp $(WARN)
HOST_FLAGS  := -std=c11 -D_POSIX_C_SOURCE=200809L -O2 -g -fopenmp $(WARN)
EXTRA_FLAGS ?=

# One source, two kernel sets, each for several instruction sets, chosen at run time. On other CPUs than x86-64 only
# `plain` is built, and amx_emulated, which only tests use. The compiler says for what it builds; the machine, where no compiler
# is installed yet.
TARGET      := $(or $(shell $(CC) -dumpmachine 2>/dev/null),$(shell uname -m))
ifeq ($(firstword $(subst -, ,$(TARGET))),x86_64)
ISAS_f32    := plain avx2 avx512
ISAS_bf16   := plain avx2 avx512bf16 amx amx_emulated
endif
ISAS_f32    ?= plain
ISAS_bf16   ?= plain amx_emulated
FLAGS_bf16  := -DBF16
FLAGS_plain :=
FLAGS_avx2  := -march=x86-64-v3
FLAGS_avx512:= -march=x86-64-v4 -mprefer-vector-width=512
FLAGS_avx512bf16 := $(FLAGS_avx512) -mavx512bf16
FLAGS_amx   := $(FLAGS_avx512bf16) -mamx-tile -mamx-bf16 -DAMX
FLAGS_amx_emulated := -DAMX_EMULATED
# For build/check alone: each load, store and call of a function is told to tests/trace.c. bf16 with tile products. No loop
# becomes a memcpy unseen, and clang leaves out no load before a store to the same place.
FLAGS_traced := -O1 -fsanitize=thread -fno-builtin-memset -fno-builtin-memcpy -Daligned_alloc=trace_alloc \
	$(foreach name,free memset memcpy,-D$(name)=trace_$(name)) \
	$(if $(findstring clang,$(CC)),-mllvm -tsan-instrument-read-before-write)

# Packages are asked for inside recipes: in `make setup table1` they are not there yet at parse time.
PKG_CFLAGS   = $$(pkg-config --cflags $(PACKAGES))
PKG_LIBS     = $$(pkg-config --libs $(PACKAGES))
PACKAGES    := hdf5 gsl zlib libcrypto

PROGRAMS    := train evaluate kernel table audit bench probe
REF_SRC     := $(wildcard ref/*.c)
# What is compiled once, not for every set.
ONCE_SRC    := fast/engine/dispatch.c fast/engine/ranks.c
FAST_SRC    := $(filter-out $(ONCE_SRC),$(wildcard fast/*.c fast/*/*.c))
# A program is experiments/programs/NAME.c, or experiments/programs/NAME/NAME.c with its own parts beside it.
MAINS       := $(foreach program,$(PROGRAMS),$(firstword $(wildcard experiments/programs/$(program).c \
	experiments/programs/$(program)/$(program).c)))
HOST_SRC    := $(filter-out $(MAINS),$(wildcard experiments/*/*.c experiments/*/*/*.c))
FUZZ_SRC    := $(wildcard tests/fuzz/*.c)
# TRACE=no leaves out the suite that counts loads and stores: its hooks have the names of ThreadSanitizer's.
TRACE       ?= yes
TEST_SRC    := $(filter-out $(if $(filter no,$(TRACE)),tests/trace.c tests/test_traffic.c),$(wildcard tests/*.c)) \
	$(filter-out tests/fuzz/main.c,$(FUZZ_SRC))

REF_OBJ     := $(REF_SRC:%.c=$(BUILD)/%.o)
FAST_OBJ    := $(foreach set,f32 bf16,$(foreach isa,$(ISAS_$(set)),$(FAST_SRC:%.c=$(BUILD)/%.$(set).$(isa).o))) \
	$(ONCE_SRC:%.c=$(BUILD)/%.o)
TRACED_OBJ  := $(if $(filter no,$(TRACE)),,$(foreach set,f32 bf16,$(FAST_SRC:%.c=$(BUILD)/%.$(set).traced.o)))
HOST_OBJ    := $(HOST_SRC:%.c=$(BUILD)/%.o)
TEST_OBJ    := $(TEST_SRC:%.c=$(BUILD)/%.o)
LIB_OBJ     := $(REF_OBJ) $(FAST_OBJ) $(HOST_OBJ)

# oneDNN, for build/bench to compare with, where libdnnl-dev is installed.
ONEDNN      = $(if $(wildcard /usr/include/dnnl.h),-ldnnl)
$(BUILD)/experiments/programs/bench/onednn.o: HOST_FLAGS += $(if $(ONEDNN),-DHAVE_ONEDNN)
$(BUILD)/bench: LIBS = $(ONEDNN)

.PHONY: all check check-slow check-mpi check-kills check-slurm check-mutants check-sanitize check-threads check-valgrind check-emulated check-avx512 check-aarch64 check-no-avx coverage check-torch check-torch-row fuzz bench setup data clean superclean help FORCE
all: $(PROGRAMS:%=$(BUILD)/%)

# Where `setup` is one of the goals, everything waits for it, with -j too.
SETUP := $(filter setup,$(MAKECMDGOALS))

include experiments/tables/tables.mk
include experiments/audit/audit.mk
include plots/figures.mk
include paper/paper.mk
# In `make tables figures` figures wait for the runs, with -j too.
$(if $(WANTED),$(eval $(FIGURE_NAMES): | with-runs))

# V=1 shows whole commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)  $@")

# Other compilers or flags build anew.
FLAGS := $(CC) $(REF_FLAGS) $(FAST_FLAGS) $(HOST_FLAGS) $(EXTRA_FLAGS) $(foreach set,f32 bf16,$(foreach isa,$(ISAS_$(set)),\
	$(FLAGS_$(set)) $(FLAGS_$(isa)))) $(FLAGS_traced) $(ONEDNN)
$(BUILD)/flags: FORCE | $(SETUP)
	@mkdir -p $(@D)
	@[ "$$(cat $@ 2>/dev/null)" = '$(subst ','\'',$(FLAGS))' ] || printf '%s\n' '$(subst ','\'',$(FLAGS))' > $@

$(BUILD)/ref/%.o: ref/%.c $(BUILD)/flags | $(SETUP)
	@mkdir -p $(@D)
	$(call say,CC )
	$(Q)$(CC) $(REF_FLAGS) $$(pkg-config --cflags gsl) $(EXTRA_FLAGS) -MMD -MP -c -o $@ $<

define fast_rule
$(BUILD)/fast/%.$(1).$(2).o: fast/%.c $(BUILD)/flags | $(SETUP)
	@mkdir -p $$(@D)
	$$(call say,CC )
	$$(Q)$$(CC) $$(FAST_FLAGS) $$(FLAGS_$(1)) $$(FLAGS_$(2)) -DSET_NAME=$(1) -DISA=$(2) $$(EXTRA_FLAGS) -MMD -MP -c -o $$@ $$<
endef
$(foreach set,f32 bf16,$(foreach isa,$(ISAS_$(set)) traced,$(eval $(call fast_rule,$(set),$(isa)))))
# The hooks are no sanitizer's: no other takes part.
$(TRACED_OBJ): override EXTRA_FLAGS := $(filter-out -fsanitize=% -fno-sanitize%,$(EXTRA_FLAGS))
$(filter %.bf16.traced.o,$(TRACED_OBJ)): FAST_FLAGS += -DAMX_EMULATED

$(ONCE_SRC:%.c=$(BUILD)/%.o): $(BUILD)/%.o: %.c $(BUILD)/flags | $(SETUP)
	@mkdir -p $(@D)
	$(call say,CC )
	$(Q)$(CC) $(FAST_FLAGS) $(patsubst %,-DHAVE_%,$(sort $(ISAS_f32) $(ISAS_bf16))) $(EXTRA_FLAGS) -MMD -MP -c -o $@ $<

# The commit goes into provenance.o; its stamp changes only when the commit, or whether the tree is clean, does. Only a
# repository of the project's own counts: git must not look for one in the folders around it.
$(BUILD)/commit: FORCE
	@mkdir -p $(@D)
	@commit=$$(unset GIT_DIR GIT_WORK_TREE; GIT_CEILING_DIRECTORIES=$$(dirname "$$(pwd -P)") \
		git describe --always --abbrev=40 --dirty --exclude='*' 2>/dev/null || echo unknown); \
		[ "$$(cat $@ 2>/dev/null)" = "$$commit" ] || echo "$$commit" > $@
$(BUILD)/experiments/runs/provenance.o: $(BUILD)/commit
$(BUILD)/experiments/runs/provenance.o: HOST_FLAGS += -DNOPOOL_COMMIT='"$(shell cat $(BUILD)/commit 2>/dev/null)"' \
	-DNOPOOL_FLAGS='"$(FAST_FLAGS) $(EXTRA_FLAGS)"'

$(BUILD)/experiments/%.o: experiments/%.c $(BUILD)/flags | $(SETUP)
	@mkdir -p $(@D)
	$(call say,CC )
	$(Q)$(CC) $(HOST_FLAGS) $(PKG_CFLAGS) $(EXTRA_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%.o: tests/%.c $(BUILD)/flags | $(SETUP)
	@mkdir -p $(@D)
	$(call say,CC )
	$(Q)$(CC) $(HOST_FLAGS) $(if $(filter no,$(TRACE)),-DNO_TRACE) $$(pkg-config --cflags check) $(PKG_CFLAGS) $(EXTRA_FLAGS) -MMD -MP -c -o $@ $<

# MPI=1: ranks of mpirun divide every batch. One object knows of it, and its stamp changes only when MPI does: so a build
# with it shares all others with the plain one.
MPI      ?=
HAVE_MPI := $(filter 1,$(MPI))
MPI_LIBS  = $(if $(HAVE_MPI),$$(pkg-config --libs ompi-c))
$(BUILD)/mpi: FORCE
	@mkdir -p $(@D)
	@[ "$$(cat $@ 2>/dev/null)" = "$(HAVE_MPI)" ] || echo "$(HAVE_MPI)" > $@
$(BUILD)/experiments/base/job.o: $(BUILD)/mpi
$(BUILD)/experiments/base/job.o: HOST_FLAGS += $(if $(HAVE_MPI),-DHAVE_MPI $$(pkg-config --cflags ompi-c))

$(BUILD)/libnopool.a: $(LIB_OBJ)
	$(call say,AR )
	$(Q)rm -f $@ && ar rcs $@ $^

define program_rule
$(BUILD)/$(notdir $(1)): $(BUILD)/$(1).o $(BUILD)/libnopool.a
	$$(call say,LD )
	$$(Q)$$(CC) -fopenmp $$(EXTRA_FLAGS) -o $$@ $$^ $$(PKG_LIBS) $$(LIBS) $$(MPI_LIBS) -lm
endef
$(foreach main,$(MAINS),$(eval $(call program_rule,$(main:.c=))))

$(BUILD)/check: $(TEST_OBJ) $(TRACED_OBJ) $(BUILD)/libnopool.a
	$(call say,LD )
	$(Q)$(CC) -fopenmp $(EXTRA_FLAGS) -o $@ $^ $$(pkg-config --libs check) $(PKG_LIBS) $(MPI_LIBS) -lm

# The exit status of Check is the verdict. OpenMP threads that wait must not spin: tests run beside others.
CHECK_ENVIRONMENT := NOPOOL_BUILD=$(BUILD) OMP_WAIT_POLICY=passive
check: $(BUILD)/check $(BUILD)/picture all
	@bash tests/mutants.sh dry
	@rm -f $(BUILD)/errors.raw
	NOPOOL_ERRORS=$(BUILD)/errors.raw $(CHECK_ENVIRONMENT) $(BUILD)/check

# The long tests too: training agreement over 20 steps.
check-slow: $(BUILD)/check $(BUILD)/picture all
	$(CHECK_ENVIRONMENT) NOPOOL_SLOW=1 $(BUILD)/check

# Every check can fail: breaks copies of the sources, and each break must be noticed (tests/mutants.tsv).
check-mutants:
	@bash tests/mutants.sh

# Everything again under the address and undefined-behaviour sanitizers, in a build of its own.
check-sanitize:
	ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1 $(MAKE) BUILD=build-sanitize \
		EXTRA_FLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all" check

# The suites with parallel regions under ThreadSanitizer, in a build of its own by clang, whose OpenMP library tells the
# sanitizer what it orders (packages clang, libclang-rt-dev and libomp-dev, as for fuzz). SUITES="feed layer" are some of them.
THREADS_CC ?= clang
check-threads:
	@command -v $(THREADS_CC) >/dev/null || { echo "check-threads: there is no $(THREADS_CC): sudo apt-get install clang" \
		"libclang-rt-dev libomp-dev" >&2; exit 1; }
	@$(MAKE) BUILD=build-threads CC="$(THREADS_CC)" TRACE=no ISAS_f32=plain ISAS_bf16="plain amx_emulated" \
		EXTRA_FLAGS="-O1 -fsanitize=thread -Wno-pass-failed" all build-threads/check
	@bash tests/threads.sh build-threads "$(THREADS_CC)" $(SUITES)

# Suites that take bounded time under valgrind's memcheck, with the one instruction set that it knows (package valgrind).
# SUITES="options files" are some of them.
check-valgrind:
	@command -v valgrind >/dev/null || { echo "check-valgrind: there is no valgrind: sudo apt-get install valgrind" >&2; exit 1; }
	@$(MAKE) BUILD=build-valgrind TRACE=no ISAS_f32=plain ISAS_bf16="plain amx_emulated" all build-valgrind/check
	@bash tests/valgrind.sh build-valgrind $(SUITES)

# Suites and runs on CPUs that are not here, by qemu (package qemu-user): this build on an x86-64 without AVX; and aarch64, in
# builds of its own by a cross compiler (package gcc-aarch64-linux-gnu) with Debian's libraries for arm64, which apt fetches. One
# of these builds fuses nothing: it must have the bits of this machine's plain set. SUITES="compare layer" are some suites.
AARCH64_CC   ?= aarch64-linux-gnu-gcc
AARCH64_ROOT := $(CURDIR)/build-aarch64/root
AARCH64_MAKE  = PKG_CONFIG_SYSROOT_DIR=$(AARCH64_ROOT) PKG_CONFIG_LIBDIR=$(AARCH64_ROOT)/usr/lib/aarch64-linux-gnu/pkgconfig \
	$(MAKE) CC="$(AARCH64_CC) --sysroot=$(AARCH64_ROOT)" ISAS_f32=plain ISAS_bf16="plain amx_emulated" ONEDNN=
check-emulated: check-aarch64 check-no-avx
check-aarch64: $(BUILD)/train
	@command -v $(lastword $(AARCH64_CC)) >/dev/null || { echo "check-aarch64: there is no $(lastword $(AARCH64_CC)):" \
		"sudo apt-get install gcc-aarch64-linux-gnu" >&2; exit 1; }
	@bash tests/aarch64_root.sh $(AARCH64_ROOT)
	@$(AARCH64_MAKE) BUILD=build-aarch64 all build-aarch64/check
	@$(AARCH64_MAKE) BUILD=build-aarch64-unfused EXTRA_FLAGS=-ffp-contract=off build-aarch64-unfused/train
	@bash tests/emulated.sh "qemu-aarch64 -L $(AARCH64_ROOT)" build-aarch64 build-aarch64-unfused $(BUILD) $(SUITES)
check-no-avx: $(BUILD)/check all
	@bash tests/emulated.sh "qemu-x86_64 -cpu Nehalem" $(BUILD) $(BUILD) $(BUILD) $(SUITES)

# AVX-512 on an x86-64 with AVX2 alone, to the bit: in a build of its own whose compiler's header is tests/avx512/immintrin.h.
# SUITES="compare layer" are some suites. `make again EMULATED=1` trains with it.
AVX512_FLAGS := -march=x86-64-v3 -D__AVX512F__ -Itests/avx512
AVX512_MAKE   = $(MAKE) BUILD=build-avx512 TRACE=no ISAS_f32="plain avx512" ISAS_bf16="plain avx512bf16 amx_emulated" \
	FLAGS_avx512="$(AVX512_FLAGS)" FLAGS_avx512bf16="$(AVX512_FLAGS) -D__AVX512BF16__ -DEMULATED_AVX512BF16" \
	EXTRA_FLAGS="-include tests/avx512/cpu.h"
check-avx512: $(BUILD)/train
	@$(AVX512_MAKE) all build-avx512/check
	@bash tests/avx512.sh build-avx512 $(BUILD) $(SUITES)
ifneq ($(BUILD),build-avx512)
build-avx512/train: FORCE
	@$(AVX512_MAKE) $@
endif

# Lines, functions and branches that make check reaches, by folder, in a build of its own by gcc (package gcovr). A function that
# nothing enters must have its reason in tests/coverage.tsv. Threads count without locks, in a quarter of the time: a count may
# be lost, or fall below 0, where gcovr must not stop. What libgcov has to say about a full disk is no output of the program.
COVERAGE := build-coverage
coverage:
	@command -v gcovr >/dev/null || { echo "coverage: there is no gcovr: sudo apt-get install gcovr" >&2; exit 1; }
	@$(MAKE) BUILD=$(COVERAGE) TRACE=no ISAS_f32=plain ISAS_bf16="plain amx_emulated" \
		EXTRA_FLAGS="-O1 --coverage -Wno-error" all $(COVERAGE)/check $(COVERAGE)/picture
	@find $(COVERAGE) -name '*.gcda' -delete
	NOPOOL_BUILD=$(COVERAGE) OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1 CK_TIMEOUT_MULTIPLIER=$${CK_TIMEOUT_MULTIPLIER:-60} \
		NOPOOL_UNTIMED=1 GCOV_ERROR_FILE=$(CURDIR)/$(COVERAGE)/gcov.log $(COVERAGE)/check
	@gcovr --root . --object-directory $(COVERAGE) --exclude tests/ --gcov-ignore-parse-errors --json $(COVERAGE)/coverage.json \
		$(COVERAGE) 2>$(COVERAGE)/gcovr.log || { cat $(COVERAGE)/gcovr.log; exit 1; }
	@/usr/bin/python3 tests/coverage.py $(COVERAGE)/coverage.json tests/coverage.tsv $(COVERAGE)/lines.txt

# Every reader against random files, with libFuzzer, in a build of its own by clang (packages clang, libclang-rt-dev and
# libomp-dev, which nothing else needs). FUZZ_SECONDS each; READERS="idx config" are some of them.
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 60
fuzz:
	@command -v $(FUZZ_CC) >/dev/null || { echo "fuzz: there is no $(FUZZ_CC): sudo apt-get install clang libclang-rt-dev" \
		"libomp-dev" >&2; exit 1; }
	@$(MAKE) BUILD=build-fuzz CC="$(FUZZ_CC)" ISAS_f32=plain ISAS_bf16="plain amx_emulated" \
		EXTRA_FLAGS="-O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -Wno-pass-failed" build-fuzz/fuzz
	@bash tests/fuzz.sh build-fuzz $(FUZZ_SECONDS) $(READERS)

$(BUILD)/fuzz: $(FUZZ_SRC:%.c=$(BUILD)/%.o) $(BUILD)/tests/results.o $(BUILD)/libnopool.a
	$(call say,LD )
	$(Q)$(CC) -fopenmp $(EXTRA_FLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS) $(MPI_LIBS) -lm

# Ranks of mpirun against the plain build, bit by bit, and ranks that are killed (packages openmpi-bin, libopenmpi-dev, which
# `make setup MPI=1` installs); some minutes.
check-mpi: $(BUILD)/train $(BUILD)/table
	@$(MAKE) BUILD=build-mpi MPI=1 build-mpi/train build-mpi/table
	bash tests/mpi.sh $(BUILD) build-mpi

# Jobs of a cluster of Slurm that is this machine (packages slurm-wlm and munge) against the plain build, bit by bit, and jobs
# that are cancelled; jobs of ranks too, where Open MPI is.
check-slurm: $(BUILD)/train $(BUILD)/table
	@if pkg-config --exists ompi-c; then $(MAKE) BUILD=build-mpi MPI=1 build-mpi/train build-mpi/table; \
		else echo "check-slurm: without ranks: make setup MPI=1 installs Open MPI"; fi
	bash tests/slurm.sh $(BUILD) $$(pkg-config --exists ompi-c && echo build-mpi)

# Runs of all tables' rows that are killed at random instants go on to the same bits; KILLS=1000 kills, SEED=N to repeat them.
check-kills: $(BUILD)/train
	@KILLS=$(KILLS) $(if $(SEED),SEED=$(SEED)) ROWS='$(ROWS)' bash tests/kills.sh $(BUILD)

# Kernels and steps against this machine's peaks and oneDNN (all of it takes many minutes), with nothing else running.
# build/bench WORD .. measures only the lines with these words in their names. The lines stay in $(BUILD)/bench.tsv, where the
# book and make bench-plot find them.
bench: $(BUILD)/bench
	@$(BUILD)/bench | tee $(BUILD)/bench.partial && mv $(BUILD)/bench.partial $(BUILD)/bench.tsv

# Every operation of build/kernel against PyTorch (packages python3-torch, python3-h5py), and 50 iterations of three
# bilevel runs, whose dumps PyTorch repeats; on whatever data there is.
PYTHON  := PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3
REPLAYS := --depth=fixed --depth=learned --block=mbconv
check-torch: $(BUILD)/kernel $(BUILD)/train
	NOPOOL_BUILD=$(BUILD) $(PYTHON) tests/kernel_numpy.py
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && for option in $(REPLAYS); do \
		$(BUILD)/train --run=$$folder/run$$option --dump=$$folder/run$$option.h5 --data=$(or $(DATA),auto) --kernels=ref \
			--layers=4 --channels=6 --levels=5 --images-a=160 --images-b=48 --images-test=16 --images-epoch=16 \
			--batch=16 --epochs=5 $$option >/dev/null || exit 1; done && \
	$(PYTHON) tests/replay_torch.py $(REPLAYS:%="$$folder"/run%.h5)

# "Our Model" of the quick table in PyTorch for three seeds, beside the runs of build/train that are in RUNS; minutes a seed.
check-torch-row:
	PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/torch_row.py \
		$(if $(findstring /,$(DATA)),$(DATA),data/cifar-10-batches-bin) $(wildcard $(RUNS)/*-quick-*-10x16-ours-seed*/result.tsv)

# The Debian packages of packages.txt that are missing, and Open MPI where MPI=1; as root or with sudo.
setup:
	@missing=$$(for package in $$(cat packages.txt) $(if $(HAVE_MPI),openmpi-bin libopenmpi-dev); do \
		dpkg -s $$package 2>/dev/null | grep -q '^Status: install ok installed' || echo $$package; done); \
	[ -z "$$missing" ] && { echo "setup: every package of packages.txt is installed"; exit 0; }; \
	sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
	echo "setup: installing" $$missing; \
	$$sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y --no-install-recommends $$missing

# CIFAR-10's official binary archive, checked before it is unpacked; DATA_URL may be a mirror or file://.
DATA_URL    ?= https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz
DATA_SHA256 ?= c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd
data: | $(SETUP)
	@bash experiments/data/fetch_cifar10.sh "$(DATA_URL)" data/cifar-10-batches-bin $(DATA_SHA256)

# Only what this Makefile made is removed: a build has its flags and commit in it, a folder of runs nothing but runs and tables.
OTHER_BUILDS := build-sanitize build-fuzz build-mpi build-threads build-valgrind build-aarch64 build-aarch64-unfused build-avx512 build-coverage
clean:
	@bash experiments/tables/clean.sh $(BUILD) $(OTHER_BUILDS)

superclean:
	@bash experiments/tables/clean.sh --runs=$(RUNS) $(BUILD) $(OTHER_BUILDS)

help:
	@cat experiments/programs/help.txt

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
