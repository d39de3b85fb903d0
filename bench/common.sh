# Sourced by the scripts of this directory: servers on the first core, load on the second, and what to do with results.
# shellcheck shell=bash

ready_secs_max=60
# Where servers run: the first core, if nothing else is said; and the load.
server_cores=0 load_cores=1

say() { printf 'bench: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# set_up PROGRAM...: builds, unless $binaries names a directory; copies the programs; sets $built, $bin, $work, $rows.
set_up() {
    local tool program
    for tool in taskset curl awk; do
        command -v $tool >/dev/null || fail "$tool is missing"
    done
    [ "$(nproc)" -ge 2 ] || fail "this needs two cores: one for the server, one for the load"
    built=${CARGO_TARGET_DIR:-target}/release
    if [ -z "$binaries" ]; then
        say "building"
        cargo build --release --locked --quiet -p jomae -p jomae-bench
        binaries=$built
    fi
    mkdir -p "$built"
    # Beside the binaries and not in /tmp, which is often memory: a commit must cost what it costs on a disk.
    work=$(mktemp -d "$built/bench-XXXXXX")
    rows=$work/rows
    [ "${quick:-no}" = no ] || figure quick yes
    declare -gA pid
    trap stop_all EXIT
    trap 'exit 130' INT TERM
    # A build that runs meanwhile must not change what is measured.
    bin=$work/bin
    mkdir "$bin"
    for program in "$@"; do
        cp "$binaries/$program" "$bin/"
    done
}
stop_all() {
    for name in "${!pid[@]}"; do
        kill "${pid[$name]}" 2>/dev/null && wait "${pid[$name]}" 2>/dev/null || true
    done
    rm -rf "$work"
}

# start NAME [FLAG...]: a server on $server_cores with its own data, ready when this returns; sets ready_ms.
start() {
    local name=$1 began
    shift
    began=$(date +%s%N)
    taskset -c "$server_cores" "$bin/jomae" serve --data-dir "$work/$name" "$@" >"$work/$name.log" 2>&1 &
    pid[$name]=$!
    until is_ready "$name"; do
        kill -0 "${pid[$name]}" 2>/dev/null || fail "the server ended: $(tail -n 5 "$work/$name.log")"
        [ $((($(date +%s%N) - began) / 1000000000)) -lt $ready_secs_max ] || fail "the server is not ready after $ready_secs_max s"
        sleep 0.01
    done
    ready_ms=$((($(date +%s%N) - began) / 1000000))
}
is_ready() {
    [ -s "$work/$1/env" ] || return 1
    (. "$work/$1/env" && curl -fsS -o /dev/null "$JOMAE_ADMIN/readyz") 2>/dev/null
}
stop() {
    kill "${pid[$1]}"
    wait "${pid[$1]}" || fail "the server did not stop well: $(tail -n 5 "$work/$1.log")"
    unset "pid[$1]"
}
# start_again NAME [FLAG...]: a stopped server, on the same ports, with the same data.
start_again() {
    local name=$1 listen admin_listen
    shift
    listen=$(. "$work/$name/env" && echo "${JOMAE_ENDPOINT#https://}")
    admin_listen=$(. "$work/$name/env" && echo "${JOMAE_ADMIN#http://}")
    start "$name" --listen "$listen" --admin-listen "$admin_listen" "$@"
}
restart() {
    stop "$1"
    start_again "$1"
}
# start_bare BODY_BYTES [NAME [FLAG...]]
start_bare() {
    local body_bytes=$1 name=${2:-bare}
    shift $(($# > 1 ? 2 : 1))
    taskset -c "$server_cores" "$bin/bare" --ca-file "$work/$name-ca.pem" --body-bytes "$body_bytes" "$@" >"$work/$name-address" &
    pid[$name]=$!
    for _ in $(seq 100); do
        [ -s "$work/$name-address" ] && return
        sleep 0.05
    done
    fail "the bare server does not start"
}
# load NAME ARGUMENT...: the load generator on its core, against a server of ours.
load() {
    local name=$1
    shift
    (. "$work/$name/env" && exec taskset -c "$load_cores" "$bin/load" "$@")
}
# load_as CREDENTIALS NAME ARGUMENT...: the same with the credentials that a file exports.
load_as() {
    local credentials=$1 name=$2
    shift 2
    (. "$work/$name/env" && . "$credentials" && exec taskset -c "$load_cores" "$bin/load" "$@")
}
# load_at SERVER NAME ARGUMENT...: the same against the server that wrote SERVER-address and SERVER-ca.pem, with the
# requests that are meant for ours.
load_at() {
    local server=$1 name=$2
    shift 2
    (. "$work/$name/env" && JOMAE_ENDPOINT=$(cat "$work/$server-address") JOMAE_CA_FILE=$work/$server-ca.pem \
        exec taskset -c "$load_cores" "$bin/load" "$@")
}
load_bare() { load_at bare "$@"; }

# keep LABEL CONNECTIONS: notes a result, from its input.
keep() { sed "s/^/$1 $2 /" >>"$rows"; }
# value NAME PAIRS
value() { sed -E "s/.*\b$1=([0-9]+).*/\1/" <<<"$2"; }
# median LABEL CONNECTIONS [NAME]: of the rounds, the one with the median CPU time per request, or other value.
median() {
    grep "^$1 $2 " "$rows" | sed -E "s/.*\b${3:-cpu_ns_per_request}=([0-9]+).*/\1 &/" | sort -n |
        awk '{ row[NR] = $0 } END { print row[int((NR + 1) / 2)] }'
}
# quotient A B DIGITS
quotient() { awk -v a="$1" -v b="$2" -v digits="$3" 'BEGIN { printf "%.*f", digits, b ? a / b : 0 }'; }
# verdict VALUE BAR: the value may be as high as the bar. verdict_min: it must be as high.
verdict() { awk -v a="$1" -v bar="$2" 'BEGIN { print (a <= bar ? "met" : "NOT met") }'; }
verdict_min() { awk -v a="$1" -v bar="$2" 'BEGIN { print (a >= bar ? "met" : "NOT met") }'; }
# figure NAME VALUE: notes it for bench/reach, if --figures named a file.
figure() { [ -z "${figures:-}" ] || printf '%s=%s\n' "$1" "$2" >>"$figures"; }
# short_run: says so, if it is one.
short_run() { [ "${quick:-no}" = no ] || printf '\n**A short run, to see that it works: judge nothing by it.**\n'; }
# machine: the processor's name, if the system tells it.
machine() { sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1; }
