# Every target is a plain command that can be typed by hand; .ci/run holds the
# commands of a whole check, so that the machine and the desk run the same ones.

.DEFAULT_GOAL := help
.PHONY: help build test race noasm nosimd generate lint cross prove-parity ci fuzz bench bench-setup clean

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the static binary ./rowan
	CGO_ENABLED=0 go build -trimpath -o rowan ./cmd/rowan

test: ## Run all tests
	go test ./...

race: ## Run all tests under the race detector (needs a C compiler)
	.ci/run race

noasm: ## Run the engine's tests without assembly
	.ci/run noasm

nosimd: ## Run the engine's tests with AVX-512 off, then with AVX2 off too
	.ci/run noavx512 noavx2

generate: ## Write the kernels' assembly anew from its generator
	go generate ./internal/kernel

lint: ## Run gofmt, go vet and golangci-lint
	.ci/run format vet lint

cross: ## Build for linux/arm64, darwin/arm64 and windows/amd64
	.ci/run cross

prove-parity: ## Break what each row of docs/parity.md names: its proofs must fail
	go run ./docs/prove

ci: ## Run everything that a change must pass
	.ci/run

FUZZTIME ?= 30s
fuzz: ## Run every fuzz test for FUZZTIME (30s)
	@go list -f '{{.Dir}}' ./... | while read -r dir; do \
	  for name in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$$dir"/*_test.go 2>/dev/null | cut -c6-); do \
	    echo "$$dir $$name"; (cd "$$dir" && go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) .) || exit 1; \
	  done; \
	done

bench-setup: ## Build the environments of the systems that Rowan is measured against (8 GB)
	bench/setup.sh

bench: ## Measure Rowan beside them, interleaved, into docs/performance.md
	bench/run.sh -page docs/performance.md

clean: ## Remove what the targets above have built in the tree
	rm -rf rowan bench/bin
