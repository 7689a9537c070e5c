"""Where `ordo` starts: a kill goes its own short way before anything heavy is imported."""

import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    words = sys.argv[1:]
    if "kill" in words:
        from ordo_cli.press import main as press

        code = press(words)
        if code is not None:
            return code
    from ordo_cli.cli.main import main as program

    return program(words)


if __name__ == "__main__":
    sys.exit(main())
