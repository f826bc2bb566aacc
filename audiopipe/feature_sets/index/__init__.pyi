from .from_records import of_records as of_records
from .gathering import Rows as Rows
from .gathering import gather as gather
from .layout import Layout as Layout
from .layout import escaped as escaped
from .layout import schema as schema
from .opening import opened as opened
from .reader import Index as Index
from .reader import IndexFile as IndexFile
from .reader import IndexTable as IndexTable
from .row_tables import Row as Row
from .row_tables import SourceFacts as SourceFacts
from .row_tables import rows as rows
from .row_tables import table as table
from .writer import Writer as Writer

__all__ = [
    "Index",
    "IndexFile",
    "IndexTable",
    "Layout",
    "Row",
    "Rows",
    "SourceFacts",
    "Writer",
    "escaped",
    "gather",
    "of_records",
    "opened",
    "rows",
    "schema",
    "table",
]
