"""One figure of an audit's page as a file of its own: precision against coverage, with the gate's thresholds.

    python -m benchmarks.audit_figure --app slateq --env interest-evolution --strategy worth \\
        --judge recorded:qwen2.5-coder-1.5b --out docs/figures/slateq-gate.svg

The whole page: lmgt judge audit --app slateq --env interest-evolution --strategies worth --judges ... --out PAGE.html
"""

import argparse
from pathlib import Path

from apps.cli import DOMAINS, load
from lmgt_core.audit.commands import AuditConfig, measured
from lmgt_core.audit.figures import precision_and_coverage
from lmgt_core.files import write_atomic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("app", "env", "strategy", "judge"):
        parser.add_argument(f"--{flag}", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    config = AuditConfig(app=args.app, env=args.env, strategies=args.strategy, judges=args.judge)
    (found,) = measured(config, load(DOMAINS[args.app])(args.env, None, None))
    figure = precision_and_coverage(found.audit, found.heard)
    if figure is None:
        parser.exit(2, f"{args.judge} gave no verdict in any of {found.audit.n} answers\n")
    write_atomic(args.out, figure.image)
    print(f"{args.out}  {figure.caption}\n{found.audit.headline}")


if __name__ == "__main__":
    main()
