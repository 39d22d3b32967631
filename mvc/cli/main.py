"""The `mvc` command: global options, the lazy command table, and the one place where errors become exit codes.

0 fine · 1 findings · 2 usage, bad input or a disk that refuses · 3 integrity · 4 busy · 70 a defect of mvc itself ·
130 interrupted · 141 the reader of stdout went away. A traceback is shown only where MVC_TRACEBACK is set.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mvc.cli import environment, messages
from mvc.cli.options import Session
from mvc.cli.table import COMMANDS, SECTIONS
from mvc.cli.text import escape
from mvc.errors import BusyError, FormatError, GoneError, IntegrityError, Interrupted, MvcError, StorageError
from mvc.index.view import IndexDamaged

DEFECT, INTERRUPTED, BROKEN_PIPE = 70, 130, 141
_DEFECT_HINT = "this is a defect of mvc, not of your input: run again with MVC_TRACEBACK=1 and report what it prints"


class LazyGroup(click.Group):
    """Commands are named in the table and imported when they run; `--help` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        gc.disable()  # what is imported stays: to look through it for garbage again and again takes a tenth of the time
        try:
            module = importlib.import_module(f"mvc.cli.commands.{cmd_name.replace('-', '_')}")
        finally:
            gc.freeze()
            gc.enable()
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        commands = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(14), text) for name, text in commands.items()])


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        metadata = importlib.import_module("importlib.metadata")  # slow to import, and rarely wanted
        click.echo(f"mvc {metadata.version('modelvc')}")
        ctx.exit()


def _directories(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="dir")]


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    subcommand_metavar="COMMAND [ARGS]...",
    epilog="`mvc help COMMAND` says more about a command, `mvc help` lists topics.",
)
@click.option(
    "-C", "directory", metavar="DIR", default=".", shell_complete=_directories, help="Run as if started in DIR."
)
@click.option("--no-color", is_flag=True, help="Print no colours (as NO_COLOR).")
@click.option("--no-pager", is_flag=True, help="Print straight to the terminal.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress and no hints.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.pass_context
def cli(ctx: click.Context, directory: str, no_color: bool, no_pager: bool, quiet: bool) -> None:
    """git for neural-network weights: keeps every checkpoint byte for byte and reads lineage, order, forks and drift
    from the weights themselves."""
    if not Path(directory).is_dir():
        raise click.UsageError(f"there is no directory {directory!r}")
    ctx.obj = Session(
        directory=Path(directory),
        colour=environment.colour_wanted() and not no_color,
        use_pager=not no_pager,
        quiet=quiet,
    )


def exit_code(error: MvcError) -> int:
    """What each family of errors exits with."""
    if isinstance(error, IntegrityError) and not isinstance(error, GoneError):
        return 3
    if isinstance(error, BusyError):
        return 4
    return 2


def hint_of(error: MvcError, args: Sequence[str]) -> str:
    """What to do about an error: what it says itself, else what its family says."""
    if error.hint:
        return error.hint
    if isinstance(error, IntegrityError):
        return "look at what is stored with: mvc fsck"
    if isinstance(error, BusyError):
        return "wait for the other process, then run this again"
    if isinstance(error, StorageError):
        return "look at the disk with: df -h"
    if isinstance(error, FormatError):
        return "look at the checkpoints here with: mvc status"
    command = next((word for word in args if word in COMMANDS), "")
    return f"see: mvc help {command}".rstrip()


def _usage_hint(error: click.UsageError) -> str:
    possibilities = list(getattr(error, "possibilities", None) or ())
    path = error.ctx.command_path if error.ctx is not None else "mvc"
    if isinstance(error, click.NoSuchCommand):
        close = importlib.import_module("difflib").get_close_matches(error.command_name, possibilities, n=1, cutoff=0.5)
        return f"did you mean: {path} {close[0]}" if close else f"list the commands with: {path} --help"
    if isinstance(error, click.NoSuchOption) and possibilities:
        close = importlib.import_module("difflib").get_close_matches(error.option_name, possibilities, n=1, cutoff=0.7)
        return f"did you mean: {close[0]}" if close else f"see: {path} --help"
    return f"see: {path} --help"


def _usage_message(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchCommand):
        return f"there is no command {error.command_name!r}"
    if isinstance(error, click.NoSuchOption):
        return f"there is no option {error.option_name!r}"
    message = error.format_message()
    message = " ".join(message.split())  # click lists choices on lines of their own
    return message[:1].lower() + message[1:].rstrip(".")


def run(args: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; prints errors as the contract says."""
    as_json = "--json" in args
    context: click.Context | None = None
    try:
        with cli.make_context("mvc", list(args)) as context:
            result = cli.invoke(context)
            sys.stdout.flush()
            return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except Interrupted as stop:
        messages.note(f"interrupted: {escape(str(stop))}")
        return INTERRUPTED
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # what is still buffered has nowhere to go: without this the interpreter complains at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except click.ClickException as error:
        usage = isinstance(error, click.UsageError)
        message = _usage_message(error) if isinstance(error, click.UsageError) else error.format_message()
        hint = _usage_hint(error) if isinstance(error, click.UsageError) else ""
        messages.report_error(
            {"code": "usage" if usage else "error", "message": message, "hint": hint}, as_json=as_json
        )
        return 2
    except MvcError as error:
        _trace()
        hint = hint_of(error, args)
        messages.report_error({"code": error.code, "message": error.message, "hint": hint}, as_json=as_json)
        return exit_code(error)
    except OSError as error:
        _trace()
        name = f" {os.fsdecode(error.filename)!r}" if isinstance(error.filename, str | bytes) else ""
        message = f"cannot use{name}: {error.strerror or error}" if name else str(error.strerror or error)
        messages.report_error(
            {"code": "os", "message": message, "hint": "check the path and its permissions"}, as_json=as_json
        )
        return 2
    except Exception as error:
        _trace()
        if _index_is_to_blame(context):
            hint = "run this again: the index is built anew on the way"
            messages.report_error(
                {"code": IndexDamaged.code, "message": "the index was damaged, and is gone", "hint": hint},
                as_json=as_json,
            )
            return exit_code(IndexDamaged(""))
        message = f"{type(error).__name__}: {error}"
        messages.report_error({"code": "defect", "message": message, "hint": _DEFECT_HINT}, as_json=as_json)
        return DEFECT


def _index_is_to_blame(context: click.Context | None) -> bool:
    """Whether what came up is no defect: nothing but the index is believed without being hashed."""
    opened = context.obj.opened if context is not None and isinstance(context.obj, Session) else ()
    with contextlib.suppress(MvcError):
        return any(workspace.suspect() is not None for workspace in opened)
    return False


def _trace() -> None:
    if environment.traceback_wanted():
        traceback.print_exc()


def main() -> None:
    """Entry point of the `mvc` script."""
    if environment.variable("_MVC_COMPLETE"):
        cli.main(prog_name="mvc", complete_var="_MVC_COMPLETE")
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # a second one, while the first was told of
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
