"""Which server a command line means, and the token it goes there with. Imports next to nothing: a kill asks it first.

A flag outranks the environment. The token comes from `--token-file`, ORDO_TOKEN, ORDO_TOKEN_FILE, or the keyring of
this machine, where `ordo remote login` put it under the server's address.
"""

import os

from ordo_cli.domain.errors import Invalid, SessionNeeded

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "ordo-remote"
NO_TOKEN = "set ORDO_TOKEN, or --token-file F, or keep it in the keyring: ordo remote login URL"  # noqa: S105  a hint
LONGEST = 4096


def is_meant(words: "list[str]", environ: "Mapping[str, str]" = os.environ) -> bool:
    """Whether this command line is for a server. `--home` says that it is for this machine."""
    return bool(take(words, environ)[0])


def take(words: "list[str]", environ: "Mapping[str, str]" = os.environ) -> "tuple[str, str, list[str]]":
    """The server's address (empty: this machine), the file of its token, and the words without those flags."""
    url, file, rest, here = "", "", [], False
    waiting = iter(words)
    for word in waiting:
        flag, equals, given = word.partition("=")
        if word == "--":
            rest += [word, *waiting]
        elif flag in ("--remote", "--token-file"):
            value = given if equals else next(waiting, "")
            if not value:
                raise Invalid(f"{flag} needs a value", hint="ordo --remote URL --token-file F …")
            if flag == "--remote":
                url = value
            else:
                file = value
        else:
            here = here or flag == "--home"
            rest.append(word)
    if here and url:
        raise Invalid("--home and --remote exclude each other", hint="a home is on this machine, a server elsewhere")
    return url or ("" if here else environ.get("ORDO_REMOTE", "")), file, rest


def token_for(url: str, file: str, environ: "Mapping[str, str]" = os.environ) -> str:
    """The token for this server. Raises SessionNeeded when there is none, Invalid for a file that holds none."""
    if file:
        return token_from(file)
    if environ.get("ORDO_TOKEN"):
        return environ["ORDO_TOKEN"]
    if environ.get("ORDO_TOKEN_FILE"):
        return token_from(environ["ORDO_TOKEN_FILE"])
    kept = kept_token(url)
    if kept is None:
        raise SessionNeeded(f"no token for {url}", hint=NO_TOKEN, code="no_token")
    return kept


def kept_token(url: str) -> str | None:
    """What the keyring holds for this server. Raises SessionNeeded where no keyring can be asked."""
    from ordo_cli.domain.errors import SecretsUnavailable
    from ordo_cli.secrets.oskeyring import OsKeyring  # 85 ms, and only where nothing else was given

    try:
        return OsKeyring(SERVICE).read(url.rstrip("/"), "token")
    except SecretsUnavailable as error:
        raise SessionNeeded(f"no token for {url}: {error.message}", hint=NO_TOKEN, code="no_token") from None


def token_from(path: str) -> str:
    """The token that a file holds. Raises Invalid."""
    try:
        with open(path, encoding="ascii") as file:
            text = file.read(LONGEST).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise Invalid(f"the token file {path} cannot be read: {why}", hint="see: --token-file") from None
    if not text:
        raise Invalid(f"the token file {path} is empty", hint="see: --token-file")
    return text
