"""Learned representations of weights, and the linear probes that say what a representation knows."""
