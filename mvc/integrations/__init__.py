"""Where mvc meets other programs: git's hooks and diffs. Owns the meeting; what is committed, found or judged is
porcelain's. `hooks` is a link to the scripts that git calls."""
