#!/usr/bin/env python3
"""Times slipway beside docker (BuildKit) and buildah, round by round in one run, and prints ratios.

The minimum of the rounds is compared: on a busy machine it is the steadier figure. Peak memory is of
the process that was started and its children; docker's daemon is not in it."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import peers
import workloads

HERE = pathlib.Path(__file__).resolve().parent


def base_layout():
    made = subprocess.run([HERE.parent / "tests/fixtures/make_base_images.sh", "tiny"], check=True, text=True,
                          capture_output=True)
    return made.stdout.split()[-1]


def one_round(builder, context, mode):
    if mode == "cold":
        builder.forget()
    if mode == "edit":
        workloads.edit(context)
    return builder.build(context)


def measure(name, builders, rounds, scratch):
    make, mode, _ = workloads.WORKLOADS[name]
    context = scratch / name
    make(context)
    # entries younger than two seconds are never trusted by a stat cache
    time.sleep(2.1)
    results = {b.name: [] for b in builders}
    if mode != "cold":
        for builder in builders:
            builder.build(context)
            builder.build(context)
    for _ in range(rounds):
        for builder in builders:
            results[builder.name].append(one_round(builder, context, mode))
    shutil.rmtree(context)
    return results


def show(name, results):
    ours = min(r["seconds"] for r in results["slipway"])
    print(f"\n{name}: {workloads.WORKLOADS[name][2]}")
    for builder, rows in results.items():
        best = min(r["seconds"] for r in rows)
        median = sorted(r["seconds"] for r in rows)[len(rows) // 2]
        ratio = "" if builder == "slipway" else f"   slipway takes 1/{best / ours:.1f}"
        print(f"  {builder:8} min {best * 1000:9.1f} ms   median {median * 1000:9.1f} ms   cpu "
              f"{min(r['cpu'] for r in rows):6.2f} s   peak {max(r['rss'] for r in rows) / 1024:6.1f} MiB{ratio}",
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="*", help="of: " + ", ".join(workloads.WORKLOADS) +
                        " (default: " + ", ".join(workloads.DEFAULT + workloads.MEMORY) + ")")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default="docker,buildah", help="with which to compare")
    parser.add_argument("--all-peers", action="store_true", help="peers in the memory workloads too: minutes each")
    parser.add_argument("--binary", default=HERE.parent / "build/slipway", type=pathlib.Path)
    parser.add_argument("--beside", metavar="FILE", type=pathlib.Path, help="another build of slipway, measured as a peer")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    options = parser.parse_args()
    for name in options.workload:
        if name not in workloads.WORKLOADS:
            parser.error(f"unknown workload {name}: one of {', '.join(workloads.WORKLOADS)}")
    base = base_layout()
    figures = {}
    with tempfile.TemporaryDirectory(prefix="slipway-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp")) as folder:
        scratch = pathlib.Path(folder)
        builders, left_out = peers.available(scratch, options.binary.resolve(), options.peers.split(","),
                                            options.beside)
        for reason in left_out:
            print(f"left out: {reason}")
        try:
            for builder in builders:
                builder.prepare(base)
            for name in options.workload or workloads.DEFAULT + workloads.MEMORY:
                memory = name in workloads.MEMORY
                taken = builders[:1] if memory and not options.all_peers else builders
                figures[name] = measure(name, taken, 1 if memory else options.rounds, scratch)
                show(name, figures[name])
        finally:
            for builder in builders:
                builder.stop()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
