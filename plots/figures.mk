# Figures: from run folders only, nothing is trained. Each takes the finished runs of this BUDGET in $(RUNS) or, where there
# are none, those of $(RECORDS); draws NAME.svg, NAME.png and its numbers NAME.tsv in $(FIGURES).
RECORDS ?= experiments/records
FIGURES ?= $(BUILD)/figures
FIGURE_NAMES := fig1 fig2 fig3 curves alpha placement frontier forest power

$(BUILD)/picture: plots/picture.c | $(SETUP)
	@mkdir -p $(@D)
	$(call say,CC )
	$(Q)$(CC) $(HOST_FLAGS) $$(pkg-config --cflags libpng) $(EXTRA_FLAGS) -o $@ $< $$(pkg-config --libs libpng)

.PHONY: figures $(FIGURE_NAMES)
figures: $(FIGURE_NAMES)

# The forest is drawn of what the audit judged.
forest: audit

# The roofline of every step, of the lines of build/bench: of BENCH=FILE, else those that `make bench` left, else the records'.
ROOFLINE = $(or $(if $(filter file undefined,$(origin BENCH)),$(wildcard $(BUILD)/bench.tsv)),$(BENCH))
.PHONY: bench-plot
bench-plot: $(BUILD)/picture | $(SETUP)
	@PICTURE=$(BUILD)/picture bash plots/draw.sh roofline "$(FIGURES)" "$(BUDGET)" "$(ROOFLINE)" ""

# What figures 1 and 2 show of a net is measured from its checkpoint, once.
fig1 fig2: $(BUILD)/probe
$(FIGURE_NAMES): $(BUILD)/picture | $(SETUP)
	@PICTURE=$(BUILD)/picture PROBE=$(BUILD)/probe AUDIT=$(BUILD)/audit.tsv \
		bash plots/draw.sh $@ "$(FIGURES)" "$(BUDGET)" "$(RUNS)" "$(RECORDS)"
