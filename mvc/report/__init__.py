"""A repository as pictures: one HTML file that needs nothing else, or one picture as SVG or PNG."""

from mvc.report.charts import ASPECT, KINDS, export_picture
from mvc.report.data import Blamed, CommitPage, Grid, Picture, ReportData, Table
from mvc.report.html import render
from mvc.report.library import library as require_library
from mvc.report.palette import Theme, colour

__all__ = [
    "ASPECT",
    "KINDS",
    "Blamed",
    "CommitPage",
    "Grid",
    "Picture",
    "ReportData",
    "Table",
    "Theme",
    "colour",
    "export_picture",
    "render",
    "require_library",
]
