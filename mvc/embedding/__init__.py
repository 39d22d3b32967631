"""Learned hyper-representations: short vectors of whole models, trained on weights alone, and the linear probes that
say what a representation knows. Arrays in, values out; no disk, no database.

Holds no names itself, so that ``mvc.embedding.recipes`` and ``mvc.embedding.probes`` are read without torch.
"""
