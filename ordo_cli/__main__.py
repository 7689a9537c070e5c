"""Where `ordo` starts: a kill goes its own short way before anything heavy is imported."""

import gc
import os
import sys

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from ordo_cli.press import Outcome


def run() -> int:
    """Run the command line of this process and return its exit code."""
    words = sys.argv[1:]
    if "kill" in words:
        if os.environ.get("ORDO_REMOTE") or any(word.startswith("--remote") for word in words):
            from ordo_cli.client.press import main as press
        else:
            from ordo_cli.press import main as press
        code = press(words, _clean_up)
        if code is not None:
            return code
    # What a command imports it keeps: looking through it for rubbish 60 times costs 10 ms. A long one still collects.
    gc.set_threshold(100_000, 10, 10)
    from ordo_cli.cli.main import main as program

    return program(words)


def _clean_up(words: list[str], outcome: "Outcome") -> int:
    from ordo_cli.cli.kill import clean_up  # 100 ms and more, and by now everything is stopped

    return clean_up(words, outcome)


def _no_stream_missing() -> None:
    """Where a stream was closed (`2>&-`) the next file opened gets its number, and talk would go into the database."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115  # it stays open to the end


def main() -> None:
    """What the installed `ordo` calls: run, and leave at once. Taking 200 modules apart politely costs 20 ms."""
    _no_stream_missing()
    code = run()
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105  # contextlib would cost a kill 2 ms
            stream.flush()
        except OSError:  # nobody reads any more
            pass
    os._exit(code)


if __name__ == "__main__":
    main()
