.PHONY: help setup demo up test bench chaos soak lint format lock audit clean

help:
	@python3 dev

setup demo up test bench chaos soak lint format lock audit clean:
	@python3 dev $@
