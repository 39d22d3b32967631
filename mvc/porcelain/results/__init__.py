"""What porcelain returns: frozen values from which both the text and the JSON of a command are made.

Field names are those of the JSON (``docs/json.md``); `plain.to_json` turns any of them into plain JSON-able data.
Tuples become lists; nothing else is renamed or dropped.
"""
