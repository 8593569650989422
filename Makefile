.PHONY: help setup demo up test chaos soak lint format lock audit clean

help:
	@python3 dev

setup demo up test chaos soak lint format lock audit clean:
	@python3 dev $@
