# Budgets, rows and runs: Make is the experiment engine. A run is the target $(RUNS)/NAME/result.tsv, whose name holds the
# data (its name and the head of its SHA-256), budget, kernels, network, row and seed.
#
# What the data is called is known once it is there, which in `make setup table1` is after this file was read. So the goals
# that train build the programs and then call this Makefile once more, with DATA_KEY: only there runs are targets.

BUDGET  ?= quick
SEEDS   ?= $(SEEDS_$(BUDGET))
RUNS    ?= runs
THREADS ?= 0
LAUNCH  ?=

# The fastest kernel set: bf16 where the CPU multiplies pairs of such numbers (measured, REPRODUCE.md), unless NOPOOL_ISA keeps it
# from that; f32 elsewhere.
CPUINFO ?= /proc/cpuinfo
ifeq ($(origin KERNELS),undefined)
KERNELS := $(if $(filter-out avx512bf16 amx,$(NOPOOL_ISA)),f32,$(if $(shell grep -m1 -w avx512_bf16 $(CPUINFO) 2>/dev/null),bf16,f32))
endif

# DATA unset: CIFAR-10 if it is there, else Fashion-MNIST. A name, or a folder with a `/`.
DATA ?= $(if $(wildcard data/cifar-10-batches-bin/test_batch.bin),cifar10,fashion-mnist)

# What a budget is: images, epochs, batch, seeds, and what becomes of the paper's layers and channels.
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
SMALL_smoke := 8=4 10=4 16=6 20=8 c16=2 c32=4 c64=8 c128=16
SMALL_quick := c16=4 c32=8 c64=16 c128=32
# The epochs of a pruned row with its source's: the schedule and its tenth.
LONGER_smoke := 2
LONGER_quick := 6
LONGER_hour  := 11
LONGER_day   := 44
LONGER_paper := 440

# A variant: its options, and for one that starts from a trained run the variant of that: PRUNES or REVERSES.
VARIANT_no-pooling          := --pooling=none
VARIANT_predefined          := --pooling=predefined
VARIANT_scale-invariant     := --pooling=uniform
VARIANT_ours                := --pooling=learned
VARIANT_ours-depth          := --pooling=learned --depth=learned
VARIANT_ours-eff            := --pooling=learned --block=mbconv
VARIANT_fabric-sparse       := --net=fabric-sparse --pooling=none --head=linear --bias=no
VARIANT_fabric-dense        := --net=fabric-dense --pooling=none --head=linear --bias=no
VARIANT_ours-thr-0.1        := --pooling=learned --prune-threshold=0.1
VARIANT_ours-thr-0.2        := --pooling=learned --prune-threshold=0.2
VARIANT_ours-one-res        := --pooling=learned --prune-threshold=1
PRUNES_ours-thr-0.1         := ours
PRUNES_ours-thr-0.2         := ours
PRUNES_ours-one-res         := ours

# Controls: one thing changed at a time.
VARIANT_ours-scratch        := --pooling=learned --prune-threshold=1 --prune-start=scratch
PRUNES_ours-scratch         := ours
VARIANT_no-pooling-longer   := --pooling=none --epochs=$(LONGER_$(BUDGET))
VARIANT_predefined-longer   := --pooling=predefined --epochs=$(LONGER_$(BUDGET))
VARIANT_scale-invariant-longer := --pooling=uniform --epochs=$(LONGER_$(BUDGET))
VARIANT_no-pooling-all      := --pooling=none --fixed-data=all
VARIANT_predefined-all      := --pooling=predefined --fixed-data=all
VARIANT_scale-invariant-all := --pooling=uniform --fixed-data=all
CHANGES := average=--down=average bilinear=--up=bilinear shared=--norm=shared affine=--affine=yes linear=--head=linear \
	decay-3e-4=--weight-decay=0.0003 decay-5e-4=--weight-decay=0.0005
$(foreach change,$(CHANGES),$(foreach variant,predefined ours,$(eval \
	VARIANT_$(variant)-$(firstword $(subst =, ,$(change))) := $(VARIANT_$(variant)) \
	$(patsubst $(firstword $(subst =, ,$(change)))=%,%,$(change)))))
VARIANT_ours-unshared       := --pooling=learned --filters=unshared
VARIANT_ours-on-a           := --pooling=learned --logits-data=a
VARIANT_ours-random         := --pooling=learned --logits-data=none --logits-start=random
VARIANT_ours-from-finest    := --pooling=learned --logits-start=finest
VARIANT_ours-from-coarsest  := --pooling=learned --logits-start=coarsest
VARIANT_ours-reversed       := --pooling=learned --logits-start=reversed
REVERSES_ours-reversed      := ours
VARIANT_ours-logits-1e-4    := --pooling=learned --logits-lr=0.0001
VARIANT_ours-logits-1e-3    := --pooling=learned --logits-lr=0.001
VARIANT_ours-logits-1e-2    := --pooling=learned --logits-lr=0.01
# Monotone placements: eight drawn at random, before any was trained (1 to 4 poolings, then their places, uniformly), and
# at the larger budgets all 84 with three poolings.
PLACEMENTS := 1-3-1-1-4 1-9 2-1-1-1-5 2-3-2-3 2-4-4 3-1-6 4-4-1-1 6-2-2
FAMILY := $(foreach a,1 2 3 4 5 6 7,$(foreach b,1 2 3 4 5 6 7,$(foreach c,1 2 3 4 5 6 7,$(foreach d,1 2 3 4 5 6 7,\
	$(if $(filter 10,$(words $(foreach n,$a $b $c $d,$(wordlist 1,$n,x x x x x x x)))),$a-$b-$c-$d)))))
comma := ,
$(foreach p,$(PLACEMENTS) $(FAMILY),$(eval VARIANT_placed-$p := --pooling=predefined --stages=$(subst -,$(comma),$p)))

# The rows of each table: ROW:VARIANT@LAYERSxCHANNELS, in the paper's sizes, L10 for layers that no budget makes fewer; what
# the paper prints of them is in paper/expected.
TITLE_table1   := Table 1. Comparison with baselines
ROWS_table1    := $(foreach v,no-pooling predefined scale-invariant ours ours-thr-0.1 ours-thr-0.2 ours-one-res,$v:$v@10x64)
TITLE_table2   := Table 2. Number of channels
ROWS_table2    := $(foreach c,16 32 64,$(foreach v,no-pooling scale-invariant predefined ours,$v-$c:$v@10x$c))
TITLE_table3   := Table 3. Network depth
ROWS_table3    := ours-10:ours@10x64 depth-10:ours-depth@10x64 ours-20:ours@20x64 depth-20:ours-depth@20x64
TITLE_table4   := Table 4. Comparison with FabricNet
ROWS_table4    := fabric-sparse:fabric-sparse@16x64 fabric-dense:fabric-dense@8x128 ours:ours@10x64 ours-128:ours@8x128 \
	ours-eff:ours-eff@8x128
# Beside Table 4, and asked for images a second and memory: the paper concludes "simpler and faster".
MORE_table4    := --speed --literature=paper/expected/outside.tsv
# At smoke too, placements need all ten layers, and all rows of a table the same.
FULL           := $(if $(filter smoke,$(BUDGET)),L10,10)
TITLE_controls := Controls, beside two rows of Table 1
ROWS_controls  := $(foreach v,predefined ours ours-one-res ours-scratch no-pooling-longer predefined-longer scale-invariant-longer no-pooling-all \
	predefined-all scale-invariant-all $(foreach c,$(CHANGES),$(foreach w,predefined ours,$w-$(firstword $(subst =, ,$c)))) \
	ours-unshared ours-on-a ours-random ours-from-finest ours-from-coarsest ours-reversed ours-logits-1e-4 ours-logits-1e-3 ours-logits-1e-2 \
	$(PLACEMENTS:%=placed-%),$v:$v@$(FULL)x64)
TITLE_placements := Every placement of three poolings
ROWS_placements  := $(foreach v,$(FAMILY:%=placed-%),$v:$v@$(FULL)x64)
TABLES := table1 table2 table3 table4
RUN_TABLES := $(TABLES) controls placements

# Further options for every training command, such as OPTIONS="--down=average"; give such runs their own RUNS. --common:
# they may be without effect in some rows.
OPTIONS ?=

# Nothing is done before these are words that neither Make nor a shell takes apart.
specials := ' " ` ; & | < > ( ) * ? [ ] { } ! \ $$ \# %
refuse_special = $(if $(strip $(foreach s,$(specials),$(findstring $s,$($(1))))),$(error $(1) is $($(1)): choose a name without \
	quotes, brackets and other signs of the shell))
refuse_blank = $(if $(filter-out 1,$(words $($(1)))),$(error $(1) is "$($(1))", $(words $($(1))) words: it must be one$(comma) \
	since Make splits names at blanks))
$(foreach name,RUNS DATA BUILD KERNELS BUDGET THREADS,$(call refuse_blank,$(name))$(call refuse_special,$(name)))
refuse_others = $(if $(filter-out $(2),$($(1))),$(error $(1) is $($(1))$(comma) but must be one of: $(2)))
$(call refuse_others,BUDGET,smoke quick hour day paper)
$(call refuse_others,KERNELS,ref f32 bf16)
$(if $(filter-out $(words $(SEEDS)),$(words $(sort $(SEEDS)))),$(error SEEDS is $(SEEDS): a seed counts once))
$(foreach seed,$(SEEDS),$(if $(subst 0,,$(subst 1,,$(subst 2,,$(subst 3,,$(subst 4,,$(subst 5,,$(subst 6,,$(subst 7,,$(subst \
	8,,$(subst 9,,$(seed))))))))))),$(error SEEDS is $(SEEDS): a seed is a whole number)))

# The programs a table needs; with -n the plan is the training commands, not the compiler's.
DRY := $(findstring n,$(firstword -$(MAKEFLAGS)))
PROGRAMS_OF_TABLES := $(if $(DRY),,$(BUILD)/train $(BUILD)/table)
RUN_GOALS := $(RUN_TABLES) tables estimate
WANTED    := $(filter $(RUN_GOALS),$(MAKECMDGOALS))

.PHONY: $(RUN_GOALS) with-runs
ifeq ($(DATA_KEY),)

# All such goals of a command in one call, so that runs which they share are trained once, with -j too.
$(RUN_GOALS): with-runs
	@:
with-runs: $(PROGRAMS_OF_TABLES) | $(SETUP) $(filter data,$(MAKECMDGOALS))
	+@key=$$(bash experiments/data/key.sh "$(DATA)" $(if $(DRY),plan)) && \
		$(MAKE) --no-print-directory DATA_KEY="$$key" $(or $(WANTED),table1)

else

# small(16) or small(c64): the size that the budget makes of the paper's.
small = $(or $(patsubst $(1)=%,%,$(filter $(1)=%,$(SMALL_$(BUDGET)))),$(1:c%=%))
# Of a row or a run VARIANT@LAYERSxCHANNELS.
run_of      = $(word 2,$(subst :, ,$(1)))
row_of      = $(firstword $(subst :, ,$(1)))
variant_of  = $(firstword $(subst @, ,$(1)))
layers_of   = $(patsubst L%,%,$(call small,$(firstword $(subst x, ,$(lastword $(subst @, ,$(1)))))))
channels_of = $(call small,c$(lastword $(subst x, ,$(lastword $(subst @, ,$(1))))))
# run_name(run, seed), run_folder(run, seed), run_options(run)
run_name    = $(DATA_KEY)-$(BUDGET)-$(KERNELS)-$(call layers_of,$(1))x$(call channels_of,$(1))-$(call variant_of,$(1))-seed$(2)
run_folder  = $(RUNS)/$(call run_name,$(1),$(2))
run_options = --layers=$(call layers_of,$(1)) --channels=$(call channels_of,$(1)) $(VARIANT_$(call variant_of,$(1)))
# The run that a run starts from, if it does, and the option that names it.
source_variant = $(PRUNES_$(1))$(REVERSES_$(1))
source_of   = $(addsuffix @$(lastword $(subst @, ,$(1))),$(call source_variant,$(call variant_of,$(1))))
from_option = $(if $(PRUNES_$(call variant_of,$(1))),--prune-from,--logits-from)

# train_command(run, seed), without --run
train_command = $(LAUNCH) $(BUILD)/train --threads=$(THREADS) --data=$(DATA) --kernels=$(KERNELS) --seed=$(2) \
	$(TRAIN_$(BUDGET)) $(call run_options,$(1)) \
	$(if $(call source_of,$(1)),$(call from_option,$(1))=$(call run_name,$(call source_of,$(1)),$(2))) $(if $(OPTIONS),--common $(OPTIONS))

# What is known of a placement before it is trained is written down before anything is.
BORDERS := $(patsubst %,$(RUNS)/%-borders.tsv,$(filter controls placements,$(MAKECMDGOALS)))
$(RUNS)/%-borders.tsv:
	@bash experiments/tables/borders.sh paper/expected/$*.tsv $@

# run_rule(run, seed). build/train is there already, and no rebuild of it trains anew.
define run_rule
$(call run_folder,$(1),$(2))/result.tsv: | $(BORDERS) $(if $(call source_of,$(1)),$(call run_folder,$(call source_of,$(1)),$(2))/result.tsv)
	@$(call train_command,$(1),$(2)) --run=$$(@D)
endef
ALL_RUNS := $(sort $(foreach table,$(RUN_TABLES),$(foreach row,$(ROWS_$(table)),$(call run_of,$(row)))))
$(foreach run,$(ALL_RUNS),$(foreach seed,$(SEEDS),$(eval $(call run_rule,$(run),$(seed)))))

# table_rule(table)
define table_rule
$(1): data-note $(foreach row,$(ROWS_$(1)),$(foreach seed,$(SEEDS),$(call run_folder,$(call run_of,$(row)),$(seed))/result.tsv))
	@$(BUILD)/table --title="$(TITLE_$(1))" --budget=$(BUDGET) --expected=paper/expected/$(1).tsv \
		--out=$(RUNS)/$(1)-$(DATA_KEY)-$(BUDGET)-$(KERNELS).tsv $(MORE_$(1)) --all="$(TRAIN_$(BUDGET))" \
		$(foreach row,$(ROWS_$(1)),--row="$(call row_of,$(row)):$(call run_options,$(call run_of,$(row))) $(OPTIONS)") \
		$(foreach row,$(ROWS_$(1)),$(foreach seed,$(SEEDS),$(call row_of,$(row))=$(call run_folder,$(call run_of,$(row)),$(seed))))
	$(if $(filter controls placements,$(1)),@bash experiments/tables/borders.sh paper/expected/$(1).tsv)
endef
$(foreach table,$(RUN_TABLES),$(eval $(call table_rule,$(table))))

tables: $(TABLES)

# Minutes, from a few timed steps of each run that GOALS still need.
GOALS ?= $(TABLES)
ESTIMATED := $(sort $(foreach table,$(subst tables,$(TABLES),$(GOALS)),$(foreach row,$(ROWS_$(table)),$(call run_of,$(row)))))
estimate:
	@bash experiments/tables/estimate.sh $(foreach run,$(ESTIMATED),$(foreach seed,$(SEEDS),"$(call run_folder,$(run),$(seed))@$(if \
		$(call source_of,$(run)),$(call run_folder,$(call source_of,$(run)),$(seed)))@$(call train_command,$(run),$(seed))"))

.PHONY: data-note
data-note:
ifeq ($(DATA),fashion-mnist)
	@echo "Data: Fashion-MNIST. For CIFAR-10, the paper's data, run \`make data\` first (170 MB)."
endif

endif
