.PHONY: help setup demo up test chaos lint format lock clean

help:
	@python3 dev

setup demo up test chaos lint format lock clean:
	@python3 dev $@
