"""`gancli bench VARIANT`: measure how fast a variant trains on this machine."""

import time
from collections.abc import Mapping
from typing import Any

import typer

from gancli.cli.arguments import help_without_command
from gancli.cli.variants import VariantCommand, Variants
from gancli.system.untrusted.terminal import say, say_json
from gancli.training.options import BenchOptions

BEGAN = time.monotonic()  # before any heavy import


class Bench(VariantCommand):
    """The subcommand that times a variant."""

    options = BenchOptions

    def run(self, variant: str, values: dict[str, Any], options: BenchOptions) -> int:
        """Time the variant and print the report."""
        from gancli.benchmark.benchmark import bench
        from gancli.training.output.live import display_for

        report = bench(variant, values, options, BEGAN, display_for(quiet=options.quiet, json=True))
        if options.json:
            say_json(report)
        else:
            _print_table(report)
        return 0


class Benches(Variants):
    """The variants that can be timed."""

    command = Bench


app = typer.Typer(cls=Benches, add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _bench(context: typer.Context) -> None:
    """Measure the training speed of a variant.

    It may be compared with other programs; `gancli bench VARIANT --help` shows how.
    """
    help_without_command(context)


def _print_table(report: Mapping[str, Any]) -> None:
    data, stages = report["data"], report["seconds_to_first_step"]
    sizes = ", ".join(f"{name} {count:,}" for name, count in report["parameters"].items() if count)
    parts = ", ".join(f"{name.replace('_', ' ')} {took:.2f}" for name, took in stages.items() if name != "all")
    peaks = ", ".join(f"{name} {rate:,.0f}" for name, rate in report["peak_gflop_per_second"].items())
    rows = {
        "variant": f"{report['variant']}, batch {report['hparams']['batch']}, {sizes} parameters",
        "data": f"{data['name']}, {data['images']:,} images, {data['width']}x{data['height']}",
        "device": f"{report['device']}, {report['threads']} thread{'s' * (report['threads'] > 1)}",
        "precision": f"{report['precision']}: {report['chosen']}",
        "speed": _speed(report),
        "memory": f"{report['peak_memory_mib']:,} MiB peak",
        "first step": f"after {stages['all']:.2f} s: {parts}",
        "work": f"{report['gflop_per_step']:,.1f} GFLOP per step, {report['gflop_per_second']:,.0f} GFLOP/s: "
        f"{report['share_of_peak']:.0%} of the measured peak ({peaks} GFLOP/s)",
        "overhead": f"{report['overhead']:.1%} over forward, backward and optimiser; "
        f"{report['data_wait']:.2%} waiting for data",
    }
    for name, other in report["against"].items():
        rows[name] = f"{_speed(other)}, {other['peak_memory_mib']:,} MiB: {report['variant']} is {other['ratio']:.2f}x"
        rows[name] += f", {other['cpu_ratio']:.2f}x by CPU time" if "cpu" in report["device"] else ""
    width = max(map(len, rows))
    for name, text in rows.items():
        say(f"{name:<{width}}  {text}")


def _speed(report: Mapping[str, Any]) -> str:
    speed = report["images_per_second"]
    spread = f"{speed['min']:,.1f} to {speed['max']:,.1f} over {len(speed['windows'])} windows"
    return f"{speed['median']:,.1f} images/s ({spread}), {report['ms_per_step']:,.1f} ms per step"
