.PHONY: help setup demo up test chaos soak lint format lock clean

help:
	@python3 dev

setup demo up test chaos soak lint format lock clean:
	@python3 dev $@
