"""Everything of mvc that reads bytes which somebody else may have written, each with samples of what it reads.

The list that fuzzing goes through (``tests/reliability``, ``benchmarks/storage/fuzz.py``). A reader either takes what
it is given or raises an error of ``mvc.errors``; anything else is a defect.
"""

from mvc.testing.readers.every import readers
from mvc.testing.readers.reader import Reader

__all__ = ["Reader", "readers"]
