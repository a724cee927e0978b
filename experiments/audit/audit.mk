# The ledger: every claim of the paper with its computed verdict, from tests, arithmetic and run folders, and the gates that
# show that it can fail. PAPER=FILE is your own copy of the paper, as text; ID=CLAIM names one claim.
RECORDS ?= experiments/records
BENCH   ?= $(lastword $(sort $(wildcard $(RECORDS)/bench/*.tsv)))
PAPER   ?=
ID      ?=
SIMULATED ?= 4000

AUDIT = $(BUILD)/audit --results=$(BUILD)/check.tsv $(if $(BENCH),--bench=$(BENCH)) $(if $(PAPER),--paper=$(PAPER))
AUDIT_RUNS = $(RECORDS) $(wildcard $(RUNS))

.PHONY: audit claim audit-calibration audit-liveness audit-blindness audit-orphans audit-coverage audit-removals again fresh records
# The recorded runs and, where there are any, those of $(RUNS). Nothing is trained.
audit: $(BUILD)/audit
	@$(AUDIT) --out=$(BUILD) $(AUDIT_RUNS)

claim: $(BUILD)/audit
	@[ -n "$(ID)" ] || { echo "claim: name one, as in make claim ID=eq4"; exit 1; }
	@$(AUDIT) --claim=$(ID) $(AUDIT_RUNS)

# Thousands of simulated tables of known truth through the code that judges runs, and the power curve.
audit-calibration: $(BUILD)/audit
	@$(BUILD)/audit --calibrate=$(SIMULATED) --power=$(BUILD)/power.tsv

# For each claim one change of its evidence or of the paper's value must change its verdict.
audit-liveness: $(BUILD)/audit
	@$(AUDIT) --liveness $(RECORDS)

# Orphans and coverage are part of every audit; this is what it says of them alone.
audit-orphans audit-coverage: $(BUILD)/audit
	@$(AUDIT) $(RECORDS) > /dev/null && echo "$@: nothing is missing"

# Whatever a claim rests on is taken away from a copy, one thing at a time: a sentence must name the claim. Minutes.
audit-removals: paper
	@bash tests/removals.sh $(BUILD)/audit $(RECORDS) $(BUILD)

# Runs and measured values do not know what the paper prints: the same bits with paper/expected/ gone or shuffled.
audit-blindness: $(BUILD)/check all
	@CK_RUN_SUITE=audit_blindness $(CHECK_ENVIRONMENT) $(BUILD)/check

# The first epoch of a finished run, or of all in a folder, is trained anew: the log must be the same, digit for digit. EMULATED=1:
# by the build in which AVX-512 is emulated, where the CPU has AVX2 alone (make check-avx512).
RUN      ?=
EMULATED ?=
AGAIN    := $(if $(filter 1,$(EMULATED)),build-avx512,$(BUILD))/train
$(if $(filter again,$(MAKECMDGOALS)),$(call refuse_special,RUN)$(call refuse_others,EMULATED,1))
again: $(if $(RUN),$(AGAIN))
	@[ -n "$(RUN)" ] || { echo "again: name a run's folder, as in make again RUN=runs/NAME"; exit 1; }
	@bash experiments/audit/again.sh $(AGAIN) "$(DATA)" $(RUN)

# Regenerating what is committed changes nothing.
fresh: $(BUILD)/audit $(BUILD)/table $(BUILD)/picture
	@bash experiments/audit/fresh.sh "$(BUILD)" "$(RECORDS)" "$(PAPER)"

# Writes anew what is generated and committed: the records' tables and the list of their runs.
records: $(BUILD)/audit $(BUILD)/table $(BUILD)/picture
	@bash experiments/audit/fresh.sh "$(BUILD)" "$(RECORDS)" "$(PAPER)" write
