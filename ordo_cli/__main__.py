"""Where `ordo` starts: a kill goes its own short way before anything heavy is imported."""

import sys

TYPE_CHECKING = False  # typing itself costs 4 ms, which a kill does not have
if TYPE_CHECKING:
    from ordo_cli.press import Outcome


def main() -> int:
    """Run the command line of this process and return its exit code."""
    words = sys.argv[1:]
    if "kill" in words:
        from ordo_cli.press import main as press

        code = press(words, _clean_up)
        if code is not None:
            return code
    from ordo_cli.cli.main import main as program

    return program(words)


def _clean_up(words: list[str], outcome: "Outcome") -> int:
    from ordo_cli.cli.kill import clean_up  # 100 ms and more, and by now everything is stopped

    return clean_up(words, outcome)


if __name__ == "__main__":
    sys.exit(main())
