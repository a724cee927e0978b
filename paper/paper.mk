# The book: chapters, code by marker, numbers from generated files (paper/weave.lua), one page of HTML. Evidence that a run of the
# tests or of the bench has not left in $(BUILD) is taken from the records.
BOOK         := $(BUILD)/paper.html
BOOK_RECORDS := experiments/records
CHAPTERS     := $(sort $(wildcard paper/chapters/*.md))

.PHONY: paper paper-links
paper: audit figures
	@bash paper/weave.sh $(BUILD) $(BOOK) $(BOOK_RECORDS) $(CHAPTERS)

# Every link of the woven page leads somewhere.
paper-links: | $(filter paper,$(MAKECMDGOALS))
	@bash paper/links.sh $(BOOK) && echo "paper-links: every link leads somewhere"
