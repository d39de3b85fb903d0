.PHONY: build test test-clients fmt lint run bench fuzz-smoke

# The server and the command line, optimised.
build:
	cargo build --release --locked -p jomae

# Everything that must hold before a change is taken; installs what it needs.
test:
	scripts/test

# Only the official clients, against the debug build.
test-clients:
	scripts/setup-tests
	cargo build --locked -p jomae
	scripts/test-clients

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

# A server with throw-away data, to try things out.
run:
	scripts/run-demo

bench:
	scripts/bench

# Every fuzz target for a few seconds.
fuzz-smoke:
	scripts/fuzz-smoke
