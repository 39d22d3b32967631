"""`mvc completion`: a script that teaches a shell to complete mvc's commands, options and revisions."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_WHERE = {
    "bash": '# in ~/.bashrc:  eval "$(mvc completion bash)"',
    "zsh": '# in ~/.zshrc:  eval "$(mvc completion zsh)"',
    "fish": "# in ~/.config/fish/completions/mvc.fish:  mvc completion fish | source",
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(_WHERE)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL."""
    kind = get_completion_class(shell)
    assert kind is not None
    completer = kind(ctx.find_root().command, {}, "mvc", "_MVC_COMPLETE")
    click.echo(_WHERE[shell])
    # not source(): that first runs bash to look at its version, which a script that is only printed does not need
    click.echo(completer.source_template % completer.source_vars())
