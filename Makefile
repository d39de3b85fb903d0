.PHONY: build test test-clients fmt lint run bench fuzz-smoke deb image dist

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

# The main job end to end, then a server to try things on; its data stays in ./jomae-data.
run:
	scripts/run-demo

bench:
	bench/run

# Every fuzz target for a few seconds.
fuzz-smoke:
	scripts/fuzz-smoke

# For other machines, in target/packages: see docs/deployment.md.
deb:
	packaging/deb/make

image:
	packaging/image

# Both, the stripped binary, its symbols, the SBOM and SHA256SUMS.
dist:
	packaging/dist
