"""mvc beside git: hooks, readable diffs of models, and setting a git repository up for both."""
