"""Writes man/ and completions/ from the Typer app: `python tools/generate_docs.py [FOLDER]`.

The same app gives the same bytes: no dates, no paths. tests/cli/test_generated.py fails when what
is committed differs.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["COLUMNS"] = "80"  # before anything measures a terminal

import shtab  # noqa: E402
import typer  # noqa: E402
from argparse_manpage.manpage import Manpage  # noqa: E402
from man_sections import SECTIONS, SYNOPSES  # noqa: E402

from agenttrace.cli.app import COMMANDS, app  # noqa: E402

FILE_NAMES = {"bash": "agenttrace", "zsh": "_agenttrace", "fish": "agenttrace.fish"}
_NAMES_FILES = re.compile(r"FILE|TRACE|CMD")


def command_tree() -> argparse.ArgumentParser:
    """Typer's commands and options as argparse's, for tools that read those."""
    group = typer.main.get_command(app)
    context = group.make_context("agenttrace", ["-"], resilient_parsing=True)
    parser = _parser(group, "agenttrace")
    branches = parser.add_subparsers(title="commands", dest="command")
    for name in COMMANDS:
        command: Any = group.get_command(context, name)  # type: ignore[attr-defined]
        branch = branches.add_parser(
            name,
            help=_percent(command.get_short_help_str(200)),
            description=_percent(command.help),
            add_help=False,
        )
        branch.prog = f"agenttrace {name}"
        _add_parameters(branch, command)
    return parser


def _parser(command: Any, prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog, description=_percent(command.help), add_help=False)
    _add_parameters(parser, command)
    return parser


def _add_parameters(parser: argparse.ArgumentParser, command: Any) -> None:
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            _add_argument(parser, parameter)
        else:
            _add_option(parser, parameter)
    parser.add_argument("-h", "--help", action="help", help="Show a short help and exit.")


def _add_argument(parser: argparse.ArgumentParser, parameter: Any) -> None:
    action = parser.add_argument(
        parameter.name,
        nargs="*" if parameter.nargs == -1 else None,
        metavar=parameter.metavar.strip("[]").split("]")[0],
        help=_percent(parameter.help),
    )
    action.complete = shtab.FILE  # type: ignore[attr-defined]


def _add_option(parser: argparse.ArgumentParser, parameter: Any) -> None:
    text = _percent(parameter.help)
    if parameter.is_flag:
        parser.add_argument(*parameter.opts, dest=parameter.name, action="store_true", help=text)
        return
    action = parser.add_argument(
        *parameter.opts,
        dest=parameter.name,
        action="append" if parameter.multiple else "store",
        metavar=None if _choices(parameter) else parameter.metavar or parameter.name.upper(),
        choices=_choices(parameter),
        help=text,
    )
    if _NAMES_FILES.search(parameter.metavar or ""):
        action.complete = shtab.FILE  # type: ignore[attr-defined]


def _choices(parameter: Any) -> list[str] | None:
    choices = getattr(parameter.type, "choices", None)
    return [getattr(choice, "value", choice) for choice in choices] if choices else None


def _percent(text: str | None) -> str:
    return (text or "").replace("%", "%%")


def man_pages() -> Iterator[tuple[str, str]]:
    """(file name, text) of `agenttrace` and of each command."""
    parser = command_tree()
    branches = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for name, branch in branches.choices.items():
        yield f"agenttrace-{name}.1", _man_page(branch, name, f"agenttrace-{name}")
    listing = "".join(
        f".TP\n\\fBagenttrace\\-{choice.dest}\\fR(1)\n{_roff(choice.help or '')}\n"
        for choice in branches._choices_actions
    )
    alone = _parser(typer.main.get_command(app), "agenttrace")
    yield "agenttrace.1", _man_page(alone, "", "agenttrace", ("COMMANDS", listing))


def _man_page(
    parser: argparse.ArgumentParser, name: str, prog: str, *first: tuple[str, str]
) -> str:
    summary, _, rest = (parser.description or "").partition("\n\n")
    parser.prog = prog
    parser.description = None
    page = Manpage(parser, {"manual_title": "AgentTrace", "project_name": "agenttrace"})
    page.date = ""
    page.description = summary.replace("%%", "%").rstrip(".")
    page.add_section("SYNOPSIS", "=", SYNOPSES[name])
    page.add_section(
        "DESCRIPTION", "=", _roff((summary + "\n\n" + rest).replace("%%", "%").strip())
    )
    for title, content in (*first, *SECTIONS[name]):
        page.add_section(title, "=", content.strip("\n"))
    others = [f"agenttrace-{other}" for other in COMMANDS if other != name]
    also = ["agenttrace", *others] if name else others
    page.add_section("SEE ALSO", "=", ", ".join(f"\\fB{_roff(o)}\\fR(1)" for o in also))
    return re.sub(r"\n{2,}", "\n", str(page))


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n.PP\n".join(" ".join(part.split()) for part in escaped.split("\n\n"))


def completions() -> Iterator[tuple[str, str]]:
    """(path, text) for each shell."""
    for shell, file_name in FILE_NAMES.items():
        yield f"{shell}/{file_name}", shtab.complete(command_tree(), shell).rstrip("\n") + "\n"


# Below share/ of an installation. The wheel's data folder links to the files, one by one: its
# builder reads through a link to a file, not through one to a folder.
_INSTALLED = {
    "man": "man/man1",
    "completions/bash": "bash-completion/completions",
    "completions/zsh": "zsh/site-functions",
    "completions/fish": "fish/vendor_completions.d",
}


def _link_for_wheel(folder: Path, name: str) -> None:
    source = Path(name)
    link = folder / "tools/wheel/data/share" / _INSTALLED[str(source.parent)] / source.name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(folder / name, link.parent))


def main(folder: Path) -> None:
    """Writes all files below `folder`."""
    files = [(f"man/{name}", text) for name, text in man_pages()]
    files += [(f"completions/{name}", text) for name, text in completions()]
    for name, text in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        _link_for_wheel(folder, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
