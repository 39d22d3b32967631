"""Every command with its one-line help, so that `mvc --help` imports none of them. Owns the table; runs nothing."""

from __future__ import annotations

#: section → command → one-line help. The command ``x-y`` lives in ``mvc.cli.commands.x_y`` as ``command``.
SECTIONS: dict[str, dict[str, str]] = {
    "Start and record": {
        "init": "Create a repository.",
        "commit": "Record checkpoints; say where each one landed.",
        "watch": "Commit checkpoints as a training writes them.",
        "status": "Show which checkpoints here are committed.",
        "import-history": "Commit the checkpoints of a git repository's past.",
        "tag": "Name a commit, or list the names.",
    },
    "Look": {
        "log": "Show the trajectories found in the weights.",
        "show": "Show one commit: facts, inference, tensors.",
        "diff": "Show how far two models are apart, and where.",
        "blame": "Show which commit last changed each tensor.",
        "lineage": "List, rename or pin lineages.",
        "report": "Write one HTML page with everything, linked.",
        "plot": "Draw one picture of the report, as SVG or PNG.",
    },
    "Judge": {
        "check": "Look for abnormal drift.",
        "explain": "Say why a commit stands there, or what a rule means.",
        "identify": "Find which committed model a file comes from.",
    },
    "Get back": {
        "checkout": "Restore a checkpoint, byte for byte.",
    },
    "Take back": {
        "undo": "Take back what was done last, or any operation.",
        "op": "List what was done to the repository.",
    },
    "Keep house": {
        "fsck": "Verify everything that is stored.",
        "gc": "Take away what nothing needs; pack the rest.",
        "reindex": "Rebuild the index from the stored objects.",
        "du": "Show how much space commits and lineages take.",
    },
    "More": {
        "git": "Work beside git: hooks, and diffs that show models.",
        "embed": "Train a model to read weights; see where checkpoints lie.",
        "zoo": "Train populations of small models to try mvc on.",
        "paper": "Run published experiments again; set mvc beside them.",
        "completion": "Print a shell completion script.",
        "help": "Explain a command, or a topic such as revisions.",
        "version": "Print the version, and those of what mvc runs on.",
    },
}

COMMANDS: dict[str, str] = {name: text for section in SECTIONS.values() for name, text in section.items()}
