"""The demonstration behind ``make demo``: the real commands on a population trained for it, and how right they were."""
