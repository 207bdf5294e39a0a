# Each target is one check. `bash .ci/run` runs them all, as CI does.

STEPS        ?= 1000000
SEED         ?= 1
FUZZ_SECONDS ?= 60
BENCH        ?= --scenario s1,s2 --relay --peers all --pin --seconds 1 --rounds 3 --gate bench/ratio.json

.PHONY: all build run test race vet format lint tidy sim fuzz allocations pgo examples bench soak clean

all: build format vet test

build:
	go build -o workman .

run:
	go run .

test:
	go test ./...

race:
	go test -race ./...

vet:
	go vet ./...

# Fails, and names the files, if any is not formatted.
format:
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "not formatted (gofmt -w):" $$files; exit 1; fi

lint:
	go tool -modfile=.ci/tools/go.mod golangci-lint run

# Fails if go.mod or go.sum is not what `go mod tidy` makes of it.
tidy:
	go mod tidy -diff

# The dispatcher against a simulated world. `make sim SEED=7` for another one.
sim:
	go test ./dispatch -count=1 -run '^TestSim$$' -timeout 10m -seed=$(SEED) -steps=$(STEPS)

# Every fuzz target of every package, FUZZ_SECONDS in all.
fuzz:
	bash .ci/fuzz $(FUZZ_SECONDS)

# Fails if a stage of a task's path allocates more, or less, than is committed.
allocations:
	bash .ci/allocations

# Records anew what is hot in a server under load, and in what keeps runs; go build reads it (go.dev/doc/pgo). After larger changes of the path.
pgo:
	go test -run '^$$' -bench Server -benchtime 1x -cpuprofile server.prof .
	go test -run '^$$' -bench 'Runs/(submit|life)' -benchtime 2500000x -cpuprofile runs.prof -outputdir . ./keeper
	go tool pprof -proto -output default.pgo server.prof runs.prof
	rm -f server.prof runs.prof workman.test keeper.test

# The examples and other real clients against the real server, none left out.
examples: examples/javascript/node_modules
	WORKMAN_REQUIRE=all go test -count=1 ./examples/...

examples/javascript/node_modules: examples/javascript/package-lock.json
	cd examples/javascript && npm ci --no-audit --no-fund
	touch $@

# Beside other systems on the same work. Fails if the server's CPU a task, over that of a relay that only copies messages,
# is more than one and a half times what bench/ratio.json has.
bench:
	go run ./bench $(BENCH)

# Two minutes of everything at once, then a verdict: do memory, descriptors and threads stay flat, was every task
# answered? Hours on demand: make soak SOAK="--duration 4h". The plot is soak.svg.
soak:
	go run ./bench soak --svg soak.svg --json soak.json $(SOAK)

clean:
	rm -rf workman examples/javascript/node_modules .ci/cache
