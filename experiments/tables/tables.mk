# Budgets, rows and runs: Make is the experiment engine. A run is the target $(RUNS)/NAME/result.tsv, whose name holds
# data, budget, kernels, network, row and seed. build/train is an order-only prerequisite: a rebuild does not retrain.

BUDGET  ?= quick
SEEDS   ?= $(SEEDS_$(BUDGET))
RUNS    ?= runs
THREADS ?= 0
LAUNCH  ?=
KERNELS ?= f32

# DATA unset: CIFAR-10 if it is there, else Fashion-MNIST. A name, or a folder with a `/`.
DATA ?= $(if $(wildcard data/cifar-10-batches-bin/test_batch.bin),cifar10,fashion-mnist)
DATA_NAME := $(notdir $(patsubst %/,%,$(DATA)))

ifeq ($(filter smoke quick hour day paper,$(BUDGET)),)
$(error BUDGET is $(BUDGET), but must be smoke, quick, hour, day or paper)
endif
ifeq ($(filter ref f32 bf16,$(KERNELS)),)
$(error KERNELS is $(KERNELS), but must be ref, f32 or bf16)
endif

# What a budget is (sizes of Table 1's network; the images of D_a, D_b and test; the seeds).
SIZE_smoke  := --layers=4 --channels=8
SIZE_quick  := --layers=10 --channels=16
SIZE_hour   := --layers=10 --channels=64
SIZE_day    := $(SIZE_hour)
SIZE_paper  := $(SIZE_hour)
NET_smoke   := 4x8
NET_quick   := 10x16
NET_hour    := 10x64
NET_day     := 10x64
NET_paper   := 10x64
TRAIN_smoke := --epochs=1 --batch=32 --images-a=2000 --images-b=500 --images-test=1000 --images-epoch=1000
TRAIN_quick := --epochs=5 --batch=64 --images-a=10000 --images-b=2500 --images-test=10000 --images-epoch=2000
TRAIN_hour  := --epochs=10
TRAIN_day   := --epochs=40
TRAIN_paper := --epochs=400
SEEDS_smoke := 1
SEEDS_quick := 1
SEEDS_hour  := 1
SEEDS_day   := 1 2 3
SEEDS_paper := 1 2 3

# A row of Table 1: its options, and for a pruned one the row that it prunes.
ROWS_table1             := no-pooling predefined scale-invariant ours ours-thr-0.1 ours-thr-0.2 ours-one-res
ROW_no-pooling          := --pooling=none
ROW_predefined          := --pooling=predefined
ROW_scale-invariant     := --pooling=uniform
ROW_ours                := --pooling=learned
ROW_ours-thr-0.1        := --pooling=learned --prune-threshold=0.1
ROW_ours-thr-0.2        := --pooling=learned --prune-threshold=0.2
ROW_ours-one-res        := --pooling=learned --prune-threshold=1
PRUNES_ours-thr-0.1     := ours
PRUNES_ours-thr-0.2     := ours
PRUNES_ours-one-res     := ours

# Further options for every training command, such as OPTIONS="--down=average"; give such runs their own RUNS. --common:
# they may be without effect in some rows.
OPTIONS ?=

# run_name(row, seed)
run_name = $(DATA_NAME)-$(BUDGET)-$(KERNELS)-$(NET_$(BUDGET))-$(1)-seed$(2)

# run_rule(row, seed)
define run_rule
$(RUNS)/$(call run_name,$(1),$(2))/result.tsv: \
		| $(BUILD)/train $(if $(PRUNES_$(1)),$(RUNS)/$(call run_name,$(PRUNES_$(1)),$(2))/result.tsv)
	@echo "== $(1), seed $(2)"
	@$(LAUNCH) $(BUILD)/train --run=$$(@D) --threads=$(THREADS) --data=$(DATA) --kernels=$(KERNELS) --seed=$(2) \
		$(SIZE_$(BUDGET)) $(TRAIN_$(BUDGET)) $(ROW_$(1)) \
		$(if $(PRUNES_$(1)),--prune-from=$(call run_name,$(PRUNES_$(1)),$(2))) $(if $(OPTIONS),--common $(OPTIONS))
endef
$(foreach row,$(ROWS_table1),$(foreach seed,$(SEEDS),$(eval $(call run_rule,$(row),$(seed)))))

TABLE1_RUNS := $(foreach row,$(ROWS_table1),$(foreach seed,$(SEEDS),$(row)=$(RUNS)/$(call run_name,$(row),$(seed))))

.PHONY: table1 tables data-note
table1: data-note $(foreach run,$(TABLE1_RUNS),$(word 2,$(subst =, ,$(run)))/result.tsv) $(BUILD)/table
	@$(BUILD)/table --title="Table 1. Comparison with baselines" --budget=$(BUDGET) --expected=paper/expected/table1.tsv \
		--out=$(RUNS)/table1-$(DATA_NAME)-$(BUDGET)-$(KERNELS).tsv $(TABLE1_RUNS)

tables: table1

data-note:
ifeq ($(DATA),fashion-mnist)
	@echo "Data: Fashion-MNIST. For CIFAR-10, the paper's data, run \`make data\` first (170 MB)."
endif
