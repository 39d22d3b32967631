"""Populations of small trained models. Holds no names itself, so that ``mvc.zoo.cards`` is read without torch."""
