"""The page: sections put into the template, as one HTML file that asks nothing of anyone."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sasrec.reporting.charts import color_of
from sasrec.reporting.examples import inside_sections
from sasrec.reporting.facts import data_section, params_section
from sasrec.reporting.groups import length_section, popularity_section
from sasrec.reporting.metrics import curves_section, metrics_section
from sasrec.reporting.run import ReportedRun

HERE = Path(__file__).parent
TEMPLATE, SCRIPT, STYLE = "page.html", "page.js", "page.css"


def render(runs: Sequence[ReportedRun], seed: int) -> str:
    """The page of these runs.

    Raises:
        UserError: a file of a run is there, but cannot be read.
    """
    sections = [
        metrics_section(runs),
        params_section(runs),
        data_section(runs),
        curves_section(runs),
        length_section(runs),
        popularity_section(runs),
        *inside_sections(runs, seed),
    ]
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, style = ((HERE / name).read_text("utf-8") for name in (SCRIPT, STYLE))
    return environment.get_template(TEMPLATE).render(
        runs=[(run.name, color_of(place)) for place, run in enumerate(runs)],
        sections=sections,
        script=script,
        style=style,
        script_digest=_digest(script),
    )


def _digest(script: str) -> str:
    """What the page's policy lets run, and nothing else."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
