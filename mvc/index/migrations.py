"""Brings an index of an older schema up to date, by alembic. Owns how its revisions are found; imported when needed.

There is no env.py: the revisions are modules of this package, and nothing outside of it is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrades the schema of the database at ``url``, in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)

    def steps(current: Any, _context: Any) -> Any:
        return script._upgrade_revs(revision, current)

    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        # Python's sqlite3 would begin and end transactions by itself, and tables would not be part of them
        event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with (
        engine.begin() as connection,
        EnvironmentContext(config, script, fn=steps, destination_rev=revision) as environment,
    ):
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()
