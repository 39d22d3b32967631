"""Forms of what `mvc check` found, one a file: a result in, text out. They decide nothing and write nothing."""
