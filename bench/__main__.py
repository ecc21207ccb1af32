"""`python -m bench [NAME…] [--quick]`: JSON lines on stdout, a table for people on stderr."""

import argparse
import sys
from importlib import import_module

from bench.report import Result, write_line, write_table

BENCHMARKS = {
    "hotpath": ("bench.hotpath", "run"),
    "capture": ("bench.recording", "run_capture"),
    "replay": ("bench.recording", "run_replay"),
    "startup": ("bench.startup", "run_startup"),
    "first-frame": ("bench.startup", "run_first_frame"),
    "console-cpu": ("bench.latency", "run_console_cpu"),
    "latency": ("bench.latency", "run_latency"),
    "fed": ("bench.latency", "run_fed"),
    "clients": ("bench.clients", "run_clients"),
    "exchange-core": ("bench.exchange", "run_core"),
    "exchange-world": ("bench.exchange", "run_world"),
    "venue-orders": ("bench.venue_wire", "run_orders"),
    "venue-fanout": ("bench.venue_wire", "run_fanout"),
    "sign": ("bench.signing", "run_sign"),
    "order-post": ("bench.posting", "run_post"),
    "order-wire": ("bench.order_wire", "run_wire"),
    "reconcile": ("bench.restarting", "run_reconcile"),
    "machine": ("bench.machines", "run_machine"),
    "provenance": ("bench.provenance", "run_provenance"),
    "store": ("bench.storing", "run_store"),
}
"""Where each is; imported when it is run, so that one that cannot be does not stop the others."""


def main() -> None:
    """Run the benchmarks named, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="shorter streams, fewer rounds")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"expected some of {', '.join(BENCHMARKS)}, was {unknown[0]!r}")
    results: list[Result] = []
    for name in asked.names or BENCHMARKS:
        module, function = BENCHMARKS[name]
        sys.stderr.write(f"{name} …\n")
        for result in getattr(import_module(module), function)(quick=asked.quick):
            results.append(result)
            write_line(result, sys.stdout)
    write_table(results)


if __name__ == "__main__":
    main()
