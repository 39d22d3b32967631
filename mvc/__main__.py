"""`python -m mvc`: the `mvc` script, where that is not on the path."""

from mvc.cli.main import main

if __name__ == "__main__":
    main()
